"""Makes a certificate authority, and a certificate by it for 127.0.0.1, with the openssl program; for hostlet, and for grpc on
both sides."""

import subprocess

import grpc


def _make(place, name, signer=None, extension=None):
    def run(*words):
        subprocess.run(["openssl", *words], cwd=place, check=True, capture_output=True)
    if signer is None:
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2",
            "-subj", f"/CN={name}")
    else:
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (place / "extension").write_text(extension)
        run("x509", "-req", "-in", f"{name}.csr", "-CA", f"{signer}.pem", "-CAkey", f"{signer}.key", "-CAcreateserial", "-out",
            f"{name}.pem", "-days", "2", "-extfile", "extension")
    (place / f"{name}.key").chmod(0o644)  # for the service's user


class Certificates:
    def __init__(self, place):
        place.mkdir()
        self.place = place
        _make(place, "ca")
        _make(place, "host", "ca", "subjectAltName=IP:127.0.0.1")

    @property
    def settings(self):
        """Returns the keys of [zone]."""
        return {"tls_certificate": self.place / "host.pem", "tls_key": self.place / "host.key", "tls_ca": self.place / "ca.pem"}

    def _read(self, name):
        return (self.place / name).read_bytes()

    def client(self, shows_one=True):
        own = (self._read("host.key"), self._read("host.pem")) if shows_one else ()
        return grpc.ssl_channel_credentials(self._read("ca.pem"), *own)

    def server(self):
        """Returns the credentials of a server that requires certificates of its clients."""
        pair = (self._read("host.key"), self._read("host.pem"))
        return grpc.ssl_server_credentials([pair], self._read("ca.pem"), require_client_auth=True)
