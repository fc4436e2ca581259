"""An S3 endpoint on a free port of loopback, with one bucket, until its standard input ends. Prints the port.

One request at a time: moto looks and writes in two steps, and the condition of a PUT must be one.
"""
import io
import sys
import threading
import urllib.request

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log_request(self, *_):
        pass


application = DomainDispatcherApplication(create_backend_app)
one_at_a_time = threading.Lock()


def serve(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
    with one_at_a_time:
        return list(application(environ, start_response))


server = make_server("127.0.0.1", 0, serve, threaded=True, request_handler=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
bucket = urllib.request.Request(f"http://127.0.0.1:{server.port}/lake", method="PUT")
urllib.request.urlopen(bucket).read()
print(server.port, flush=True)
sys.stdin.read()
