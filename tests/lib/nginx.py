"""A real nginx on loopback ports, serving a directory in the ways a fetcher meets.

    /…            the directory, with ranges                /noranges/…   the same, ranges refused
    /slow/…       the same, at slow_rate                    /error/…      503
    /missing/…    404                                       /redirect/…   302 to /…
    /loop/…       a redirect to itself                      /stall/…      the head of the answer, then 1 byte a second
    /private/…    401 without user "user", password "secret"
"""

import crypt
import subprocess
from pathlib import Path

from . import ground

CONFIG = """
daemon off;
user root;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/error.log warn;
events {{ worker_connections 256; }}
http {{
    types {{ }}
    default_type application/octet-stream;
    log_format facts '$status\t$request_method\t$request_uri\t$http_range\t$body_bytes_sent\t$request_completion';
    access_log {place}/access.log facts;
    client_body_temp_path {place}/temporary; proxy_temp_path {place}/temporary; fastcgi_temp_path {place}/temporary;
    uwsgi_temp_path {place}/temporary; scgi_temp_path {place}/temporary;
    sendfile on;
    {servers}
    server {{
        listen 127.0.0.1:{proxy_port};
        access_log {place}/proxy.log facts;
        resolver_timeout 1s;
        location / {{ proxy_pass http://127.0.0.1:{port}$request_uri; }}
    }}
}}
"""

SERVER = """
    server {{
        {listen}
        root {root};
        autoindex off;
        location / {{ }}
        location /noranges/ {{ alias {root}/; max_ranges 0; add_header X-Ranges off; }}
        location /slow/ {{ alias {root}/; limit_rate {slow_rate}; }}
        location /stall/ {{ alias {root}/; limit_rate 1; }}
        location /error/ {{ return 503; }}
        location /missing/ {{ return 404; }}
        location ~ ^/redirect/(.*)$ {{ return 302 /$1; }}
        location ~ ^/loop/(.*)$ {{ return 302 /loop/$1; }}
        location /private/ {{ alias {root}/; auth_basic "private"; auth_basic_user_file {place}/htpasswd; }}
    }}
"""


class Nginx:
    def __init__(self, place, slow_rate="100k"):
        self.place = Path(place)
        self.root = self.place / "www"
        self.slow_rate = slow_rate
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"https://localhost:{self.tls_port}"

    @property
    def proxy_url(self):
        """A forward proxy to this server, with a log of its own (proxy.log)."""
        return f"http://127.0.0.1:{self.proxy_port}"

    @property
    def ca_file(self):
        return self.place / "ca.pem"

    def _make_certificates(self):
        def openssl(*words):
            subprocess.run(["openssl", *map(str, words)], cwd=self.place, check=True, capture_output=True)
        if self.ca_file.exists():
            return
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=hostlet test CA",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
        (self.place / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "server.ext", "-out", "server.pem")

    def start(self):
        self.root.mkdir(parents=True, exist_ok=True)
        (self.place / "temporary").mkdir(exist_ok=True)
        (self.place / "htpasswd").write_text(f"user:{crypt.crypt('secret', crypt.METHOD_SHA512)}\n")
        self._make_certificates()
        for _ in range(5):
            self.port, self.tls_port, self.proxy_port = (ground.free_port() for _ in range(3))
            common = {"place": self.place, "root": self.root, "slow_rate": self.slow_rate}
            servers = SERVER.format(listen=f"listen 127.0.0.1:{self.port};", **common) + SERVER.format(
                listen=f"listen 127.0.0.1:{self.tls_port} ssl; ssl_certificate {self.place}/server.pem; "
                       f"ssl_certificate_key {self.place}/server.key;", **common)
            (self.place / "nginx.conf").write_text(CONFIG.format(
                place=self.place, servers=servers, port=self.port, proxy_port=self.proxy_port))
            self.process = ground.start(["nginx", "-p", self.place, "-c", self.place / "nginx.conf"],
                                        self.place / "start.log")
            try:
                ground.wait_until(self._answers, 10, "nginx answers")
                return
            except ChildProcessError:
                continue  # another program bound a port in the meantime
        raise AssertionError("nginx does not start: " + (self.place / "start.log").read_text())

    def _answers(self):
        if self.process.poll() is not None:
            raise ChildProcessError("nginx ended")
        return all(ground.connects(port) for port in (self.port, self.tls_port, self.proxy_port))

    def requests(self, log="access.log"):
        """Returns the requests so far: dicts of status, method, uri, range, bytes, complete."""
        path = self.place / log
        if not path.exists():
            return []
        rows = (line.split("\t") for line in path.read_text().splitlines())
        return [{"status": int(row[0]), "method": row[1], "uri": row[2], "range": "" if row[3] == "-" else row[3],
                 "bytes": int(row[4]), "complete": row[5] == "OK"} for row in rows]

    def forget_requests(self):
        for log in ("access.log", "proxy.log"):
            path = self.place / log
            if path.exists():
                path.write_text("")

    def stop(self):
        if self.process:
            ground.stop(self.process)
            self.process = None
