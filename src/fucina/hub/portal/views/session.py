"""Coming in, going out, and in which language."""

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods
from django.views.i18n import set_language

from fucina.errors import NotSignedIn
from fucina.hub.people.actions import redeem
from fucina.hub.people.models import Person
from fucina.hub.portal.forms import SignInForm


class SignIn(LoginView):
    """User name and password."""

    template_name = "portal/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True
    next_page = "portal:home"

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, and speak the person's language unless this browser has chosen one."""
        response = super().form_valid(form)
        person = form.get_user()
        return _in_language_of(self.request, person, response) if isinstance(person, Person) else response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """The form again, with what was wrong."""
        return self.render_to_response(self.get_context_data(form=form), status=422)


@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest, secret: str) -> HttpResponse:
    """Sign in with a link that works once; looking at the link does not spend it."""
    if request.method != "POST":
        return render(request, "portal/enter.html")
    try:
        person = redeem(secret=secret, at=timezone.now())
    except NotSignedIn as error:
        return render(request, "portal/error.html", {"error": error}, status=403)
    login(request, person)
    return _in_language_of(request, person, redirect("portal:home"))


@require_http_methods(["POST"])
def choose_language(request: HttpRequest) -> HttpResponse:
    """Remember the language in this browser."""
    return set_language(request)


def _in_language_of(request: HttpRequest, person: Person, response: HttpResponse) -> HttpResponse:
    """Remember the person's language where it is not the factory's own and this browser has not chosen one."""
    others = set(dict(settings.LANGUAGES)) - {settings.LANGUAGE_CODE}
    if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES and person.language in others:
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, person.language, samesite="Lax", secure=request.is_secure())
    return response
