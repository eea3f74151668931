"""People who can log in, and tools that cost little: real Argon2 with its least parameters, letters that are kept."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cost_ops.credentials.passwords import CHEAP, Argon2Passwords
from cost_ops.credentials.tokens import JoseTokens
from cost_ops.domain.letters import Letter
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.login import LoginTools
from cost_ops.services import passwords, people
from cost_ops.services.people import Invited, NewMember

PASSWORD = "a horse of a different colour"
OTHER_PASSWORD = "seven boats under the bridge"


@dataclass
class KeptLetters:
    """A mailer that keeps what it is given."""

    letters: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> None:
        self.letters.append(letter)

    @property
    def last(self) -> Letter:
        return self.letters[-1]


def at_once(work: Callable[[], None]) -> None:
    work()


def cheap_tools(mailer: KeptLetters | None = None, secret: str = "a secret of the installation") -> LoginTools:
    return LoginTools(Argon2Passwords(CHEAP), JoseTokens(secret), mailer, "https://costs.example.com", at_once)


def join(
    ctx: Context, tools: LoginTools, organization_id: str, email: str, role: str = "viewer", **bound: tuple[str, ...]
) -> Invited:
    """A member with the usual password."""
    invited = people.add(ctx, tools, organization_id, NewMember(email, email.partition("@")[0], role, **bound))
    kept = tools.mailer
    token = kept.last.token if isinstance(kept, KeptLetters) else invited.link.partition("#token=")[2]
    if token:
        passwords.confirm(ctx, tools, token, PASSWORD)
    return invited
