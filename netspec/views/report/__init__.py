"""The report of a run: one page of HTML with its pictures inside, which needs no network and no scripts."""

from netspec.views.report.page import page

__all__ = ["page"]
