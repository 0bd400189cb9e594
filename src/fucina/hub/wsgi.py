"""What gunicorn serves: `fucina.hub.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fucina.hub.settings")

application = get_wsgi_application()
