"""A certificate for a name, that nobody else trusts."""

import ssl
import subprocess
from pathlib import Path


def server_context(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """The server's side of TLS, and the certificate, for who is to trust it. :param name: a host's, or an IPv4 address"""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    kind = "IP" if name.replace(".", "").isdigit() else "DNS"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
