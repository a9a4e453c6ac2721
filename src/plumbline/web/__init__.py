"""Base of both web products: formats, icons, security headers, shared assets (两个网页产品的公共基础).

Importing the package loads no framework; ``apps``, ``middleware`` and ``templatetags`` need Django,
``jinja`` needs Jinja2 only, so that the gateway can draw the public page.
"""
