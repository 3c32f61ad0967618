"""The admin shows and asks; the operator commands act. Nothing is added, changed or deleted here."""

from __future__ import annotations

from django.contrib import admin

from sagas.admin import inbox, parked, person, saga

# One way through: the links in the header. The list of all records is one of them.
admin.site.site_header = admin.site.site_title = "Waybill"
admin.site.index_title = "All records"
admin.site.site_url = None
admin.site.enable_nav_sidebar = False

__all__ = ["inbox", "parked", "person", "saga"]
