"""What Factur-X wants a PDF to say of itself: the name and profile of the XML in it.

PDF/A allows an extension of the metadata if the schema of the extension is described beside it.
The metadata of typst's file is written again with both, as an update behind the file's end, so
that all else stays as typst has made and checked it.

Source: Factur-X 1.0.7, "XMP extension schema"; ISO 19005-3, 6.6.2.3.
"""

from io import BytesIO

from comptoir.documents.extra import needed
from comptoir.units.errors import invariant

NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_SAYS = {
    "DocumentFileName": ("factur-x.xml", "The name of the embedded XML document"),
    "DocumentType": ("INVOICE", "The type of the hybrid document"),
    "Version": ("1.0", "The version of the standard that the XML follows"),
    "ConformanceLevel": ("EN 16931", "The profile of the XML"),
}
_SCHEMAS = "<pdfaExtension:schemas><rdf:Bag>"
_END = "</rdf:RDF>"


def named_in(pdf: bytes) -> bytes:
    """The PDF with the name of its e-invoice in its metadata.

    Raises:
        Unavailable: `documents_not_installed`.
    """
    pypdf, generic = needed("pypdf"), needed("pypdf.generic")
    writer = pypdf.PdfWriter(BytesIO(pdf), incremental=True)
    metadata = writer.root_object["/Metadata"]
    said = metadata.get_data().decode()
    invariant(said.count(_SCHEMAS) == 1 and said.count(_END) == 1, "the metadata of typst changed")
    said = said.replace(_SCHEMAS, _SCHEMAS + _schema()).replace(_END, _description() + _END)
    stream = generic.DecodedStreamObject()
    stream.set_data(said.encode())
    stream[generic.NameObject("/Type")] = generic.NameObject("/Metadata")
    stream[generic.NameObject("/Subtype")] = generic.NameObject("/XML")
    reference = writer.root_object.raw_get("/Metadata")
    writer._replace_object(reference, stream)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _description() -> str:
    said = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _SAYS.items())
    return f'<rdf:Description rdf:about="" xmlns:fx="{NAMESPACE}">{said}</rdf:Description>'


def _schema() -> str:
    properties = "".join(
        '<rdf:li rdf:parseType="Resource">'
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{what}</pdfaProperty:description>"
        f"<pdfaProperty:name>{name}</pdfaProperty:name>"
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType></rdf:li>"
        for name, (_, what) in _SAYS.items()
    )
    return (
        '<rdf:li rdf:parseType="Resource">'
        "<pdfaSchema:schema>Factur-X extension schema</pdfaSchema:schema>"
        f"<pdfaSchema:namespaceURI>{NAMESPACE}</pdfaSchema:namespaceURI>"
        "<pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{properties}</rdf:Seq></pdfaSchema:property></rdf:li>"
    )
