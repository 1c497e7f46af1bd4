"""People in households: who they are, and how each part of that changes over the three years.

Every attribute that changes is held in two versions with the instant of the change, so that a system can hold the
version that was true when it last touched its record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray, TextArray
from crm_mining.synth.arrays import draw, fold, only, rank_within, texts, zipf
from crm_mining.synth.calendar import DAY, END, N_DAYS, START
from crm_mining.synth.catalog import NEED_GROUP_SHARES
from crm_mining.synth.geography import COUNTRIES, CURRENCIES, Country, draw_phones, places
from crm_mining.synth.names import CULTURE_SHARES, CULTURES, academic_titles, companies, jobs, name_pool, nicknames

#: Shares of households by the number of members who are the company's customers, and by that of others from 0 on.
_HOUSEHOLD_SIZES = (0.55, 0.28, 0.09, 0.06, 0.02)
_OTHER_MEMBERS = (0.55, 0.22, 0.14, 0.09)
NEVER = END + 10 * 365 * DAY  # instant of a change that does not happen
EFFECT_GROUPS = ("persuadable", "sure_thing", "lost_cause", "sleeping_dog")
#: Effect groups by need group, so that uplift can be learned from what people buy; age shifts them further.
_EFFECT_BY_NEED = np.array([
    [0.50, 0.25, 0.15, 0.10],
    [0.20, 0.40, 0.25, 0.15],
    [0.30, 0.20, 0.20, 0.30],
    [0.15, 0.25, 0.50, 0.10],
])  # fmt: skip
_OLDER, _EFFECT_IF_OLDER, _EFFECT_IF_YOUNGER = 58, [0.6, 1.0, 1.3, 1.6], [1.1, 1.0, 1.0, 0.8]
#: Favourite order channel: weights at the age of 70, and what the age of 20 adds (web, app, store, phone).
_CHANNEL_IF_OLD, _CHANNEL_BY_YOUTH = (0.50, 0.06, 0.22, 0.22), (0, 0.38, -0.1, -0.2)
#: Households: who moves within the three years, and who of them stays in town; none moves in the first month.
_MOVES, _STAYS_IN_TOWN, _FIRST_MOVE = 0.16, 0.62, 30 * DAY
#: Age of heads (shape and scale of a Gamma distribution, range), how much older than a child a parent is, how far
#: partners are apart, and the bounds of all.
_HEAD_AGE, _HEAD_AGE_RANGE, _PARENT_AGE, _PARTNER_AGE_DEVIATION = (9.0, 5.4), (19, 88), (20, 38), 4
_YOUNGEST_CHILD, _YOUNGEST, _OLDEST = 16.0, 18.0, 93
_HEAD_FEMALE, _MIXED_COUPLES, _FEMALE, _NEITHER_SEX = 0.52, 0.94, 0.51, 0.008
#: Who marries within the three years, and so changes the last name; rarely the man.
_WOMAN_MARRIES, _MAN_MARRIES = 0.075, 0.012
_CHANGES_MOBILE, _CHANGES_EMAIL, _SHARES_MAILBOX = 0.08, 0.14, 0.05
_WORKS, _COMPANY_KNOWN, _HAS_TITLE = 0.85, 0.42, 0.05
#: Zipf laws: companies are nearly even, of academic titles the first is by far the most frequent.
_COMPANY_LAW, _TITLE_LAW = {"flat_head": 20.0, "exponent": 0.7}, {"flat_head": 1.0, "exponent": 2.0}
#: Last names: of children and partners who bear that of the head; Spaniards with two of them in our systems; doubles of
#: others, and of those who marry. First names: children named like the head; middle names, English-speaking and others.
_CHILD_SHARES_NAME, _PARTNER_SHARES_NAME, _TWO_SURNAMES, _HYPHENATES, _KEEPS_BOTH = 0.94, 0.80, 0.35, 0.022, 0.25
_NAMESAKE, _MIDDLE_NAME = 0.03, (0.45, 0.10)
#: E-mail addresses: how the local part is made of the names, in the order of :func:`_emails`; those at work.
_EMAIL_STYLES, _AT_WORK = (0.34, 0.13, 0.13, 0.09, 0.09, 0.08, 0.07, 0.07), 0.22
#: House numbers: mean in most countries and in the US, and how often a letter follows where that is usual.
_HOUSE_NUMBER_SHAPE, _HOUSE_NUMBER, _US_HOUSE_NUMBER, _NUMBER_LETTER = 1.1, 38.0, 900.0, 0.07
#: Incomes by age, as shares of the country's median at 45; of those without work; standard deviation of the logarithm.
_INCOME_AGES, _INCOME_BY_AGE = [16, 22, 30, 45, 58, 66, 90], [0.25, 0.5, 0.85, 1.0, 1.05, 0.72, 0.6]
_INCOME_WITHOUT_WORK, _INCOME_DEVIATION = 0.55, 0.42
_DEAL_PRONE = (1.6, 2.4)  # Beta distribution of the chance to use a promotion
_TRACKED = 0.085  # share whose visits to the web shop are recorded
#: Customers taken over from the predecessor join within weeks; the others ever faster, none in the last days.
_FROM_PREDECESSOR, _OPENING_DAYS, _GROWTH_POWER, _LAST_DAYS = 0.30, 25, 0.85, 20


@dataclass(frozen=True)
class Address:
    """One address of each person, as parallel arrays; `city_index` is the position in the country's cities."""

    street: TextArray
    number: TextArray
    postcode: TextArray
    city: TextArray
    region: TextArray
    landline: TextArray
    city_index: IntArray


@dataclass(frozen=True)
class People:
    """N persons as parallel arrays; those of one household stand together."""

    person_id: IntArray
    household_id: IntArray
    country: IntArray  # position in COUNTRIES
    gender: TextArray
    birth_date: TextArray
    age: FloatArray  # at the first simulated day
    title: TextArray
    first: TextArray
    nickname: TextArray  # the given name itself where there is no short form
    middle: TextArray
    last: TextArray
    last_after: TextArray
    marries_at: IntArray
    address: Address
    address_after: Address
    moves_at: IntArray
    mobile: TextArray
    mobile_after: TextArray
    mobile_changes_at: IntArray
    email: TextArray
    email_after: TextArray
    email_changes_at: IntArray
    company: TextArray
    job_title: TextArray
    income: IntArray
    household_size: IntArray
    need_group: IntArray
    effect_group: IntArray
    channel: IntArray  # favourite order channel
    deal_prone: FloatArray  # chance to use a promotion that is on
    is_tracked: BoolArray
    joined_at: IntArray

    @property
    def n(self) -> int:
        """Count the persons."""
        return len(self.person_id)


def _addresses(rng: np.random.Generator, country: IntArray, stay_city: IntArray | None = None) -> Address:
    """Draw one address for each household; where `stay_city` is not negative, the city is that one."""
    n = len(country)
    fields = [np.empty(n, dtype=object) for _ in range(6)]
    street, number, postcode, city, region, landline = fields
    city_index = np.zeros(n, dtype=np.int64)
    for position, spec in enumerate(COUNTRIES):
        at = np.flatnonzero(country == position)
        if not len(at):
            continue
        local = places(spec.code)
        where = draw(rng, local.weight, len(at))
        if stay_city is not None:
            where = np.where(stay_city[at] >= 0, stay_city[at], where)
        city_index[at] = where
        city[at], region[at] = local.city[where], local.region[where]
        street[at] = local.streets[draw(rng, local.street_weight, len(at))]
        scale = _US_HOUSE_NUMBER if spec.code == "US" else _HOUSE_NUMBER
        largest = 1 + np.floor(rng.gamma(_HOUSE_NUMBER_SHAPE, scale, len(at))).astype(np.int64)
        suffix = np.where((rng.random(len(at)) < _NUMBER_LETTER) & (spec.code in ("DE", "GB", "SE")), "a", "").astype(
            object
        )
        number[at] = largest.astype(str).astype(object) + suffix
        sizes = np.array([len(codes) for codes in local.postcodes])
        start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        every = np.concatenate(local.postcodes)
        postcode[at] = every[start[where] + (rng.random(len(at)) * sizes[where]).astype(np.int64)]
        landline[at] = draw_phones(rng, spec, where, mobile=False)
    return Address(street, number, postcode, city, region, landline, city_index)


def _of_household(address: Address, household: IntArray) -> Address:
    """Give each person the address of the household."""
    return Address(
        address.street[household], address.number[household], address.postcode[household], address.city[household],
        address.region[household], address.landline[household], address.city_index[household],
    )  # fmt: skip


@dataclass(frozen=True)
class _Names:
    """Names of persons, and the parts that e-mail addresses are made of."""

    first: TextArray
    nickname: TextArray
    middle: TextArray
    last: TextArray
    last_after: TextArray


def _draw_names(
    rng: np.random.Generator,
    culture: IntArray,
    female: BoolArray,
    household: IntArray,
    member: IntArray,
    is_child: BoolArray,
    marries: BoolArray,
) -> _Names:
    """Draw names by culture: families mostly share the last name, a few children that of the parent as well."""
    n = len(culture)
    first, middle, own_last, family = (np.empty(n, dtype=object) for _ in range(4))
    nickname = np.empty(n, dtype=object)
    second_last = np.empty(n, dtype=object)
    of_child, of_partner = rng.random(n) < _CHILD_SHARES_NAME, rng.random(n) < _PARTNER_SHARES_NAME
    shares_name = np.where(member == 0, False, np.where(is_child, of_child, of_partner))
    shares_name &= ~marries
    for position, name in enumerate(CULTURES):
        at = np.flatnonzero(culture == position)
        if not len(at):
            continue
        pool = name_pool(name)
        woman = female[at]
        first[at] = np.where(
            woman, pool.female[draw(rng, pool.female_weight, len(at))], pool.male[draw(rng, pool.male_weight, len(at))]
        )
        middle[at] = np.where(
            woman, pool.female[draw(rng, pool.female_weight, len(at))], pool.male[draw(rng, pool.male_weight, len(at))]
        )
        own = draw(rng, pool.last_weight, len(at))
        # The family's name is drawn by the household: the same draw for each of its members.
        of_head = np.searchsorted(household[at], household[at])
        shared = own[of_head]
        own_last[at] = np.where(woman, pool.female_last[own], pool.last[own])
        family[at] = np.where(woman, pool.female_last[shared], pool.last[shared])
        other = draw(rng, pool.last_weight, len(at))
        second_last[at] = np.where(woman, pool.female_last[other], pool.last[other])
        short = nicknames(name)
        names, inverse = np.unique(first[at].astype(str), return_inverse=True)
        nickname[at] = texts([short.get(str(given), str(given)) for given in names])[inverse]

    head = _heads(member)
    namesake = is_child & (female == female[head]) & (rng.random(n) < _NAMESAKE)
    first = np.where(namesake, first[head], first)
    nickname = np.where(namesake, nickname[head], nickname)
    last = np.where(shares_name, family, own_last)
    spanish = culture == CULTURES.index("es")
    last = np.where(spanish & (rng.random(n) < _TWO_SURNAMES), last + " " + second_last, last)
    hyphenates = rng.random(n) < _HYPHENATES
    last = np.where(hyphenates & ~spanish, last + "-" + second_last, last)
    # Who marries takes the partner's name: that of the household's head, or that of someone unknown to us.
    partner = np.where((member == 1) & (family != last), family, second_last)
    last_after = np.where(marries, np.where(rng.random(n) < _KEEPS_BOTH, last + "-" + partner, partner), last)
    anglophone = (culture == CULTURES.index("gb")) | (culture == CULTURES.index("us"))
    has_middle = rng.random(n) < np.where(anglophone, *_MIDDLE_NAME)
    middle = only(has_middle & (middle != first), middle)
    return _Names(first, nickname, middle, last, last_after)


def _fold_all(names: TextArray) -> TextArray:
    """Fold many names for e-mail addresses, each different one once."""
    different, inverse = np.unique(names.astype(str), return_inverse=True)
    return texts([fold(str(name)) for name in different])[inverse]


def _emails(
    rng: np.random.Generator,
    first: TextArray,
    last: TextArray,
    birth_year: IntArray,
    country: IntArray,
    work_domain: TextArray,
    chunk: int,
) -> TextArray:
    """Make one address for each entry, each different from all others of the world."""
    n = len(first)
    given, family = _fold_all(first), _fold_all(last)
    initial = texts([name[:1] for name in given])
    year = birth_year.astype(str).astype(object)
    short_year = texts([text[2:] for text in year])
    number = rng.integers(1, 1000, n).astype(str).astype(object)
    style = draw(rng, _EMAIL_STYLES, n)
    local = np.select(
        [style == position for position in range(len(_EMAIL_STYLES))],
        [
            given + "." + family, initial + "." + family, given + family, given + "." + family + short_year,
            family + "." + given, given + short_year, given + "_" + family, initial + family + number,
        ],
    )  # fmt: skip
    domain = np.empty(n, dtype=object)
    for position, spec in enumerate(COUNTRIES):
        at = np.flatnonzero(country == position)
        names = texts([name for name, _ in spec.mail_domains])
        domain[at] = names[draw(rng, [weight for _, weight in spec.mail_domains], len(at))]
    at_work = (rng.random(n) < _AT_WORK) & (work_domain.astype(str) != "None")
    local = np.where(at_work, given + "." + family, local)
    domain = np.where(at_work, work_domain, domain)
    # Chunks are made apart from each other; a number of the chunk's own keeps their addresses different.
    mark = "" if chunk == 0 else f"-{chunk}"
    again = np.ones(n, dtype=np.int64)
    while again.any():  # whoever comes second to an address must add a number
        _, inverse = np.unique((local + "@" + domain).astype(str), return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        again[order] = rank_within(inverse[order].astype(np.int64))
        local = np.where(again > 0, local + (again + 1).astype(str).astype(object), local)
    return np.asarray(local + mark + "@" + domain)


def draw_people(rng: np.random.Generator, first_id: int, n: int, chunk: int) -> People:
    """Draw the persons of one chunk.

    Parameters
    ----------
    rng
        Source of randomness.
    first_id
        Number of the first person; households are numbered by their first member.
    n
        How many persons.
    chunk
        Position of the chunk in the world.
    """
    homes = _households(rng, n)
    household, member = homes.of_person, homes.member
    country = homes.country[household]
    age, birth_date, birth_year = _ages(rng, household, member)
    female = _sexes(rng, household, member)
    gender = np.where(rng.random(n) < _NEITHER_SEX, "x", np.where(female, "f", "m")).astype(object)
    marries = (age > 20) & (age < 50) & (rng.random(n) < np.where(female, _WOMAN_MARRIES, _MAN_MARRIES))
    names = _draw_names(rng, homes.culture[household], female, household, member, member >= 2, marries)
    work = _work(rng, country, age, female, homes.home.city_index[household])
    both_emails = _emails(
        rng, np.concatenate([names.first, names.nickname]), np.concatenate([names.last, names.last_after]),
        np.tile(birth_year, 2), np.tile(country, 2), np.tile(work.domain, 2), chunk,
    )  # fmt: skip
    email, email_after = both_emails[:n], both_emails[n:]
    email = np.where((member == 1) & (rng.random(n) < _SHARES_MAILBOX), email[_heads(member)], email)
    need_group, effect_group, channel = _tastes(rng, age)
    joined_at = _joining(rng, n)
    return People(
        person_id=first_id + np.arange(n, dtype=np.int64),
        household_id=first_id + np.searchsorted(household, household).astype(np.int64),
        country=country,
        gender=gender,
        birth_date=birth_date,
        age=age,
        title=work.title,
        first=names.first,
        nickname=names.nickname,
        middle=names.middle,
        last=names.last,
        last_after=names.last_after,
        marries_at=np.where(marries, rng.integers(START, END, n), NEVER),
        address=_of_household(homes.home, household),
        address_after=_of_household(homes.next_home, household),
        moves_at=homes.moves_at[household],
        mobile=work.mobile,
        mobile_after=work.mobile_after,
        mobile_changes_at=np.where(rng.random(n) < _CHANGES_MOBILE, rng.integers(START, END, n), NEVER),
        email=email,
        email_after=email_after,
        email_changes_at=np.where(rng.random(n) < _CHANGES_EMAIL, rng.integers(START, END, n), NEVER),
        company=work.company,
        job_title=work.job,
        income=work.income,
        household_size=homes.n_customers[household] + draw(rng, _OTHER_MEMBERS, len(homes.country))[household],
        need_group=need_group,
        effect_group=effect_group,
        channel=channel,
        deal_prone=rng.beta(*_DEAL_PRONE, n),
        is_tracked=rng.random(n) < _TRACKED,
        joined_at=joined_at,
    )


@dataclass(frozen=True)
class _Households:
    """Households, and which of them each person belongs to; members of one stand together, its head first."""

    of_person: IntArray
    member: IntArray  # position of each person in the household, 0 for the head; from 2 on children
    n_customers: IntArray
    country: IntArray
    culture: IntArray
    home: Address
    next_home: Address
    moves_at: IntArray  # all together, `NEVER` for most


def _households(rng: np.random.Generator, n: int) -> _Households:
    """Deal n persons out to households, and settle these."""
    sizes = draw(rng, _HOUSEHOLD_SIZES, n) + 1
    household = np.repeat(np.arange(n), sizes)[:n]
    n_households = int(household[-1]) + 1
    country = draw(rng, [spec.share for spec in COUNTRIES], n_households)
    culture = np.zeros(n_households, dtype=np.int64)
    for position, spec in enumerate(COUNTRIES):
        at = np.flatnonzero(country == position)
        shares = CULTURE_SHARES[spec.code]
        choice = draw(rng, list(shares.values()), len(at))
        culture[at] = np.array([CULTURES.index(name) for name in shares])[choice]
    home = _addresses(rng, country)
    stays_in_town = np.where(rng.random(n_households) < _STAYS_IN_TOWN, home.city_index, -1)
    next_home = _addresses(rng, country, stays_in_town)
    moves_at = rng.random(n_households) < _MOVES, rng.integers(START + _FIRST_MOVE, END, n_households)
    return _Households(
        household, rank_within(household), np.bincount(household, minlength=n_households), country, culture,
        home, next_home, np.where(*moves_at, NEVER),
    )  # fmt: skip


def _heads(member: IntArray) -> IntArray:
    """Give the position of each person's head of household."""
    return np.asarray(np.flatnonzero(member == 0)[np.cumsum(member == 0) - 1])


def _ages(rng: np.random.Generator, household: IntArray, member: IntArray) -> tuple[FloatArray, TextArray, IntArray]:
    """Draw ages at the beginning of the simulation, with dates and years of birth."""
    n, is_child = len(member), member >= 2
    head_age = np.clip(rng.gamma(*_HEAD_AGE, int(household[-1]) + 1), *_HEAD_AGE_RANGE)[household]
    of_child = head_age - rng.uniform(*_PARENT_AGE, n)
    of_partner = head_age + rng.normal(0, _PARTNER_AGE_DEVIATION, n)
    age = np.where(member == 0, head_age, np.where(is_child, of_child, of_partner))
    age = np.clip(age, np.where(is_child, _YOUNGEST_CHILD, _YOUNGEST) + rng.uniform(0, 4, n), _OLDEST)
    born = np.datetime64("2023-01-01", "D") - np.floor(age * 365.25).astype("timedelta64[D]")
    return age, born.astype(str).astype(object), born.astype("datetime64[Y]").astype(np.int64) + 1970


def _sexes(rng: np.random.Generator, household: IntArray, member: IntArray) -> BoolArray:
    """Draw who is a woman; most partners are of the other sex."""
    n = len(member)
    head_female = (rng.random(int(household[-1]) + 1) < _HEAD_FEMALE)[household]
    female = np.where(member == 1, head_female ^ (rng.random(n) < _MIXED_COUPLES), rng.random(n) < _FEMALE)
    return np.where(member == 0, head_female, female)


@dataclass(frozen=True)
class _Work:
    """What depends on country and work of each person; empty where there is none."""

    company: TextArray
    domain: TextArray
    job: TextArray
    title: TextArray
    income: IntArray
    mobile: TextArray
    mobile_after: TextArray


def _work(rng: np.random.Generator, country: IntArray, age: FloatArray, female: BoolArray, city: IntArray) -> _Work:
    """Draw companies, jobs, academic titles, incomes and two mobile numbers each, country by country."""
    n = len(age)
    company, domain, job, title = (np.full(n, None, dtype=object) for _ in range(4))
    income = np.zeros(n, dtype=np.int64)
    works = (age > 20) & (age < 67) & (rng.random(n) < _WORKS)
    has_company = works & (rng.random(n) < _COMPANY_KNOWN)
    mobile, mobile_after = np.empty(n, dtype=object), np.empty(n, dtype=object)
    for position, spec in enumerate(COUNTRIES):
        at = np.flatnonzero(country == position)
        firm, firm_domain = companies(spec)
        choice = draw(rng, zipf(len(firm), **_COMPANY_LAW), len(at))
        company[at] = only(has_company[at], firm[choice])
        domain[at] = only(has_company[at], firm_domain[choice])
        for woman in (True, False):
            some = at[female[at] == woman]
            titles = jobs(spec, woman)
            job[some] = only(works[some], titles[draw(rng, zipf(len(titles)), len(some))])
        academic = texts(academic_titles(spec.language))
        has_title = rng.random(len(at)) < _HAS_TITLE
        title[at] = only(has_title, academic[draw(rng, zipf(len(academic), **_TITLE_LAW), len(at))])
        income[at] = _incomes(rng, spec, age[at], works[at])
        mobile[at] = draw_phones(rng, spec, city[at], mobile=True)
        mobile_after[at] = draw_phones(rng, spec, city[at], mobile=True)
    return _Work(company, domain, job, title, income, mobile, mobile_after)


def _tastes(rng: np.random.Generator, age: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
    """Draw need group, effect group and favourite order channel."""
    n = len(age)
    need_group = draw(rng, NEED_GROUP_SHARES, n)
    chance = _EFFECT_BY_NEED[need_group] * np.where((age > _OLDER)[:, None], _EFFECT_IF_OLDER, _EFFECT_IF_YOUNGER)
    chance = np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)
    effect_group = np.minimum((rng.random(n)[:, None] >= chance).sum(axis=1), len(EFFECT_GROUPS) - 1)
    young = np.clip((70 - age) / 50, 0.0, 1.0)[:, None]
    by_channel = np.cumsum(np.array(_CHANNEL_IF_OLD) + np.array(_CHANNEL_BY_YOUTH) * young, axis=1)
    channel = (rng.random(n)[:, None] * by_channel[:, -1:] >= by_channel).sum(axis=1)
    return need_group, effect_group.astype(np.int64), channel.astype(np.int64)


def _joining(rng: np.random.Generator, n: int) -> IntArray:
    """Draw when each person becomes known. The company opened with its predecessor's customers, then grew faster."""
    opening = rng.random(n) < _FROM_PREDECESSOR
    joined = np.where(
        opening, rng.exponential(_OPENING_DAYS, n), (N_DAYS - _OPENING_DAYS) * rng.random(n) ** _GROWTH_POWER
    )
    # Within a day nearly everybody joins between seven and twenty-two o'clock.
    seconds = np.interp(rng.random(n), [0, 0.05, 0.95, 1], [0, 7 * 3600, 22 * 3600, DAY - 1])
    return START + np.minimum(joined.astype(np.int64), N_DAYS - _LAST_DAYS) * DAY + seconds.astype(np.int64)


def _incomes(rng: np.random.Generator, spec: Country, age: FloatArray, works: BoolArray) -> IntArray:
    """Draw yearly incomes in EUR, log-normal round a median that depends on country, age and work, in hundreds."""
    curve = np.interp(age, _INCOME_AGES, _INCOME_BY_AGE)
    median = spec.median_income * curve * np.where(works, 1.0, _INCOME_WITHOUT_WORK)
    return np.rint(median * rng.lognormal(0.0, _INCOME_DEVIATION, len(age)) / 100).astype(np.int64) * 100


def currency_of(country: IntArray) -> IntArray:
    """Give the position in CURRENCIES of each country's currency."""
    return np.array([CURRENCIES.index(spec.currency) for spec in COUNTRIES], dtype=np.int64)[country]
