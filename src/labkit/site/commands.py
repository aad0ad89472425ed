"""`make site-open`: the site on this machine's loopback, where nobody else can see it."""

import functools
import http.server
import webbrowser

import click

from labkit.course.errors import LabError
from labkit.course.paths import ROOT
from labkit.course.site import SITE


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and writes no line for each."""

    def log_message(self, *_: object) -> None:
        pass


@click.command()
@click.option("--port", default=8000, type=click.IntRange(1, 65535), help="Where to serve it.  [8000]")
def site_open(port: int) -> None:
    """Serve the site to this machine's browsers, until Ctrl-C."""
    folder = ROOT / SITE
    if not (folder / "index.html").is_file():
        raise LabError(f"there is no site in {SITE}; make site builds it")
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Quiet, directory=str(folder)))
    except OSError as error:
        raise LabError(
            f"port {port} cannot be used ({error.strerror}); name another: make site-open PORT=8001"
        ) from None
    with server:
        address = f"http://127.0.0.1:{port}/"
        click.echo(f"The site is at {address} until Ctrl-C")
        webbrowser.open(address)
        server.serve_forever()


COMMANDS = (site_open,)
