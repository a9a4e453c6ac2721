"""WSGI entry of the web process (网页服务入口): registers the process with its heartbeat, then serves."""

from __future__ import annotations

import atexit
import os

from django.core.wsgi import get_wsgi_application

from plumbline.web.forms import Utf8Request

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plumbline.supervision.settings")
application = get_wsgi_application()
application.request_class = Utf8Request


def _register() -> None:
    """Beat from this process. Here and not in `AppConfig.ready`: commands load the apps too and serve nobody."""
    from django.conf import settings

    from plumbline.supervision.heartbeat import Heartbeat

    heartbeat = Heartbeat(settings.PLUMBLINE_PLATFORM.conninfo("plumb_web"), "web")
    heartbeat.start()
    atexit.register(heartbeat.stop)


_register()
