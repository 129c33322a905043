"""The operator's page: read-only, on loopback, rendered on the server over `ops.fleet`.

`app.py` has the routes, `kept.py` keeps answers so that no view waits for a slow one, `plots.py` draws,
`serve.py` is the server. No build step, nothing from elsewhere, no inline script or style.
"""
