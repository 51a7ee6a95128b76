"""XML namespaces and media types of the transactions (ITI TF-2 Appendix V; WS-020 to WS-028)."""

SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
WSA_ANONYMOUS = WSA + "/anonymous"
WSA_FAULT = WSA + "/fault"
WSA_SOAP_FAULT = WSA + "/soap/fault"
WSAW = "http://www.w3.org/2006/05/addressing/wsdl"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
XOP = "http://www.w3.org/2004/08/xop/include"
XML = "http://www.w3.org/XML/1998/namespace"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
XDS = "urn:ihe:iti:xds-b:2007"
HL7V3 = "urn:hl7-org:v3"
RAD = "urn:ihe:rad:xdsi-b:2009"
WADO_WS = "urn:dicom:wado:ws:2011"

SOAP_MEDIA_TYPE = "application/soap+xml"
XOP_MEDIA_TYPE = "application/xop+xml"
MULTIPART_RELATED = "multipart/related"


def tag(namespace: str, name: str) -> str:
    """The Clark name `{namespace}name`."""
    return f"{{{namespace}}}{name}"
