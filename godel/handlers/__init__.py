"""The table of APIs: dispatch, ApiVersions and the generated docs are made from it.

A new API is a class in `protocol/messages`, a module here with `handle(context, request)`, a row in
this table, and a test module.
"""

from __future__ import annotations

from godel.handlers.api_versions import with_api_versions
from godel.protocol.api import Api

__all__ = ["APIS", "Api"]

APIS: tuple[Api, ...] = with_api_versions(())
