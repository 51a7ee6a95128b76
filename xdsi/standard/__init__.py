"""What the standards fix, as tables: namespaces, URNs, attributes, queries, transactions."""
