"""What gunicorn serves: `fucina.hub.wsgi:application`."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fucina.hub.settings")

application = get_wsgi_application()

# What is loaded now stays for good: the collector need not look through it again and again while pages are made.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
