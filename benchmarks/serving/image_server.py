"""Starts the image's server as its `serve` does, with nginx, for one model: run by the environment's own Python.

    python image_server.py FOLDER

`serving_entrypoint` of sagemaker_xgboost_container/serving.py, which starts gunicorn with gevent workers behind nginx (`start` of
sagemaker_containers/_server.py). What those two write below /etc and /tmp in the image is below FOLDER here.
"""

import sys
from pathlib import Path

from sagemaker_containers import _server
from sagemaker_xgboost_container.serving import serving_entrypoint

folder = Path(sys.argv[1])
template = Path(_server.nginx_config_template_file).read_text()
own = folder / "nginx.conf.template"
own.write_text(template.replace("/tmp/", f"{folder}/"))  # noqa: S108
_server.nginx_config_template_file = str(own)
_server.nginx_config_file = str(folder / "nginx.conf")
_server.UNIX_SOCKET_BIND = f"unix:{folder}/gunicorn.sock"
serving_entrypoint()
