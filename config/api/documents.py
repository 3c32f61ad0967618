"""Problem documents (RFC 9457), and the answers to requests that never reach a view of the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults
from rest_framework.request import Request

from config.api.catalogue import CATALOGUE
from sagas.web.problems import Problem

MEDIA_TYPE = "application/problem+json"
CATALOGUE_PATH = "/api/problems/"


def document(problem: Problem, request: HttpRequest | Request) -> dict[str, Any]:
    """The body. `type` is where the code is explained."""
    entry = CATALOGUE.get(problem.code)
    return {
        "type": f"{CATALOGUE_PATH}#{problem.code}",
        "title": entry.title if entry else HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "instance": request.path,
        "correlation_id": str(getattr(request, "correlation_id", "")),
        **problem.more,
    }


def headers(problem: Problem) -> dict[str, str]:
    """What travels beside the body."""
    found = {"Cache-Control": "no-store"}
    if problem.retry_after_seconds is not None:
        found["Retry-After"] = str(problem.retry_after_seconds)
    return found


def problem_response(problem: Problem, request: HttpRequest) -> JsonResponse:
    """The answer where no view of the API is at work."""
    return JsonResponse(
        document(problem, request), status=problem.status, content_type=MEDIA_TYPE, headers=headers(problem)
    )


def unknown_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """There is no such address in the API."""
    del rest
    return problem_response(Problem(404, "api.not_found", "There is no such address."), request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django turned the request away before any view saw it."""
    if _of_the_api(request):
        return problem_response(Problem(400, "api.bad_request", "The request cannot be read."), request)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Nothing is at this address."""
    return unknown_address(request) if _of_the_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug outside of the API's views."""
    if _of_the_api(request):
        return problem_response(
            Problem(500, "api.unexpected", "This is our mistake, and it was reported."), request
        )
    return defaults.server_error(request)


def catalogue(request: HttpRequest) -> HttpResponse:
    """The page that explains every code; the `type` of each problem leads here."""
    return render(request, "api/problems.html", {"entries": sorted(CATALOGUE.items())})


def _of_the_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")
