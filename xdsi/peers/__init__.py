"""Callers of remote actors: the same signature as a local handler, SOAP over kept connections.

`session.open_session` gives the connections, `caller.Caller` one transaction at one address,
`spool.Spool` a place for received documents. zeep gives the binding of the contract; envelopes
are ours, and documents stream in both directions.
"""
