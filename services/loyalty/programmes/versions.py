"""Every version of the programme, and which one was in force when."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from services.loyalty.domain.programme import Programme
from services.loyalty.domain.value import value


@value
class Moment:
    """When a batch is decided: `now_us` UTC, `today` in the programme's time zone, and the rules
    then in force.
    """

    now_us: int
    today: date
    programme: Programme


class Programmes:
    """Versions in the order in which they came into force; times are UTC microseconds."""

    def __init__(self, versions: list[tuple[int, Programme]]) -> None:
        assert versions, "a ledger has a programme from its first day"
        self._versions = sorted(versions, key=lambda version: version[0], reverse=True)
        self._numbered = {programme.version: programme for _, programme in versions}
        self._zone = ZoneInfo(self._versions[0][1].time_zone)

    @property
    def current(self) -> Programme:
        return self._versions[0][1]

    def numbered(self, version: int) -> Programme:
        """A version that was in force once. KeyError if none has this number."""
        return self._numbered[version]

    def at(self, now_us: int) -> Programme:
        """The programme in force at `now_us`; the first one for earlier times."""
        for effective_from_us, programme in self._versions:
            if effective_from_us <= now_us:
                return programme
        return self._versions[-1][1]

    def moment(self, now_us: int) -> Moment:
        """What a decision needs to know about its time."""
        local = datetime.fromtimestamp(now_us / 1_000_000, UTC).astimezone(self._zone)
        return Moment(now_us=now_us, today=local.date(), programme=self.at(now_us))
