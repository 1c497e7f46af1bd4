"""People in households: who they are, and how each part of that changes over the three years.

Every attribute that changes is held in two versions with the instant of the change, so that a system can hold the
version that was
true when it last touched its record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray, TextArray
from crm_mining.synth.arrays import draw, fold, only, rank_within, texts, zipf
from crm_mining.synth.calendar import DAY, END, N_DAYS, START
from crm_mining.synth.geography import COUNTRIES, CURRENCIES, Country, draw_phones, places
from crm_mining.synth.names import CULTURE_SHARES, CULTURES, academic_titles, companies, jobs, name_pool, nicknames

_HOUSEHOLD_SIZES = (0.55, 0.28, 0.09, 0.06, 0.02)  # of its members who are the company's customers
NEVER = END + 10 * 365 * DAY  # instant of a change that does not happen
EFFECT_GROUPS = ("persuadable", "sure_thing", "lost_cause", "sleeping_dog")
# Effect groups by need group, so that uplift can be learned from what people buy; age shifts them further.
_EFFECT_BY_NEED = np.array([
    [0.50, 0.25, 0.15, 0.10],
    [0.20, 0.40, 0.25, 0.15],
    [0.30, 0.20, 0.20, 0.30],
    [0.15, 0.25, 0.50, 0.10],
])  # fmt: skip


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
        largest = 1 + np.floor(rng.gamma(1.1, 38.0 if spec.code != "US" else 900.0, len(at))).astype(np.int64)
        suffix = np.where((rng.random(len(at)) < 0.07) & (spec.code in ("DE", "GB", "SE")), "a", "").astype(object)
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
    shares_name = np.where(member == 0, False, np.where(is_child, rng.random(n) < 0.94, rng.random(n) < 0.80))
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

    head = np.flatnonzero(member == 0)[np.cumsum(member == 0) - 1]
    namesake = is_child & (female == female[head]) & (rng.random(n) < 0.03)
    first = np.where(namesake, first[head], first)
    nickname = np.where(namesake, nickname[head], nickname)
    last = np.where(shares_name, family, own_last)
    spanish = culture == CULTURES.index("es")
    last = np.where(spanish & (rng.random(n) < 0.35), last + " " + second_last, last)
    hyphenates = rng.random(n) < 0.022
    last = np.where(hyphenates & ~spanish, last + "-" + second_last, last)
    # Who marries takes the partner's name: that of the household's head, or that of someone unknown to us.
    partner = np.where((member == 1) & (family != last), family, second_last)
    last_after = np.where(marries, np.where(rng.random(n) < 0.25, last + "-" + partner, partner), last)
    anglophone = (culture == CULTURES.index("gb")) | (culture == CULTURES.index("us"))
    has_middle = rng.random(n) < np.where(anglophone, 0.45, 0.10)
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
    style = draw(rng, (0.34, 0.13, 0.13, 0.09, 0.09, 0.08, 0.07, 0.07), n)
    local = np.select(
        [style == position for position in range(8)],
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
    at_work = (rng.random(n) < 0.22) & (work_domain.astype(str) != "None")
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
    sizes = draw(rng, _HOUSEHOLD_SIZES, n) + 1
    household = np.repeat(np.arange(n), sizes)[:n]
    member = rank_within(household)
    n_households = int(household[-1]) + 1
    customers_here = np.bincount(household, minlength=n_households)

    country_h = draw(rng, [spec.share for spec in COUNTRIES], n_households)
    culture_h = np.zeros(n_households, dtype=np.int64)
    for position, spec in enumerate(COUNTRIES):
        at = np.flatnonzero(country_h == position)
        shares = CULTURE_SHARES[spec.code]
        choice = draw(rng, list(shares.values()), len(at))
        culture_h[at] = np.array([CULTURES.index(name) for name in shares])[choice]
    home = _addresses(rng, country_h)
    stays_in_town = np.where(rng.random(n_households) < 0.62, home.city_index, -1)
    next_home = _addresses(rng, country_h, stays_in_town)
    move_h = np.where(rng.random(n_households) < 0.16, rng.integers(START + 30 * DAY, END, n_households), NEVER)
    country, culture = country_h[household], culture_h[household]

    head_age = np.clip(rng.gamma(9.0, 5.4, n_households), 19, 88)[household]
    is_child = member >= 2
    age = np.where(
        member == 0, head_age, np.where(is_child, head_age - rng.uniform(20, 38, n), head_age + rng.normal(0, 4, n))
    )
    age = np.clip(age, np.where(is_child, 16.0, 18.0) + rng.uniform(0, 4, n), 93)
    born = np.datetime64("2023-01-01", "D") - np.floor(age * 365.25).astype("timedelta64[D]")
    birth_date = born.astype(str).astype(object)
    birth_year = born.astype("datetime64[Y]").astype(np.int64) + 1970

    head_female = (rng.random(n_households) < 0.52)[household]
    female = np.where(member == 1, head_female ^ (rng.random(n) < 0.94), rng.random(n) < 0.51)
    female = np.where(member == 0, head_female, female)
    gender = np.where(rng.random(n) < 0.008, "x", np.where(female, "f", "m")).astype(object)
    marries = (age > 20) & (age < 50) & (rng.random(n) < np.where(female, 0.075, 0.012))
    names = _draw_names(rng, culture, female, household, member, is_child, marries)

    company, domain, job, title = (np.full(n, None, dtype=object) for _ in range(4))
    income = np.zeros(n, dtype=np.int64)
    works = (age > 20) & (age < 67) & (rng.random(n) < 0.85)
    has_company = works & (rng.random(n) < 0.42)
    mobile, mobile_after = np.empty(n, dtype=object), np.empty(n, dtype=object)
    mobile_home = home.city_index[household]
    for position, spec in enumerate(COUNTRIES):
        at = np.flatnonzero(country == position)
        firm, firm_domain = companies(spec.code, spec.company_suffixes, spec.company_tld)
        choice = draw(rng, zipf(len(firm), 20.0, 0.7), len(at))
        company[at] = only(has_company[at], firm[choice])
        domain[at] = only(has_company[at], firm_domain[choice])
        for woman in (True, False):
            some = at[female[at] == woman]
            titles = jobs(spec.code, woman)
            job[some] = only(works[some], titles[draw(rng, zipf(len(titles)), len(some))])
        academic = texts(academic_titles(spec.language))
        title[at] = only(rng.random(len(at)) < 0.05, academic[draw(rng, zipf(len(academic), 1.0, 2.0), len(at))])
        income[at] = _incomes(rng, spec, age[at], works[at])
        mobile[at] = draw_phones(rng, spec, mobile_home[at], mobile=True)
        mobile_after[at] = draw_phones(rng, spec, mobile_home[at], mobile=True)

    both_emails = _emails(
        rng, np.concatenate([names.first, names.nickname]), np.concatenate([names.last, names.last_after]),
        np.tile(birth_year, 2), np.tile(country, 2), np.tile(domain, 2), chunk,
    )  # fmt: skip
    email, email_after = both_emails[:n], both_emails[n:]
    # Some couples share one mailbox.
    head = np.flatnonzero(member == 0)[np.cumsum(member == 0) - 1]
    email = np.where((member == 1) & (rng.random(n) < 0.05), email[head], email)

    need_group = draw(rng, (0.30, 0.26, 0.22, 0.22), n)
    chance = _EFFECT_BY_NEED[need_group] * np.where((age > 58)[:, None], [0.6, 1.0, 1.3, 1.6], [1.1, 1.0, 1.0, 0.8])
    chance = np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)
    effect_group = np.minimum((rng.random(n)[:, None] >= chance).sum(axis=1), 3)
    young = np.clip((70 - age) / 50, 0.0, 1.0)
    channel_chance = np.cumsum(
        np.stack([0.50 + 0 * young, 0.06 + 0.38 * young, 0.22 - 0.1 * young, 0.22 - 0.2 * young], 1), axis=1
    )
    channel = (rng.random(n)[:, None] * channel_chance[:, -1:] >= channel_chance).sum(axis=1)
    # The company opened with the customers of its predecessor, then grew ever faster.
    opening = rng.random(n) < 0.30
    joined = np.where(opening, rng.exponential(25, n), (N_DAYS - 25) * rng.random(n) ** 0.85)
    seconds = np.interp(rng.random(n), [0, 0.05, 0.95, 1], [0, 7 * 3600, 22 * 3600, DAY - 1])
    joined_at = START + np.minimum(joined.astype(np.int64), N_DAYS - 20) * DAY + seconds.astype(np.int64)
    return People(
        person_id=first_id + np.arange(n, dtype=np.int64),
        household_id=first_id + np.searchsorted(household, household).astype(np.int64),
        country=country,
        gender=gender,
        birth_date=birth_date,
        age=age,
        title=title,
        first=names.first,
        nickname=names.nickname,
        middle=names.middle,
        last=names.last,
        last_after=names.last_after,
        marries_at=np.where(marries, rng.integers(START, END, n), NEVER),
        address=_of_household(home, household),
        address_after=_of_household(next_home, household),
        # A grown child or a single may leave the household alone; the others move together.
        moves_at=move_h[household],
        mobile=mobile,
        mobile_after=mobile_after,
        mobile_changes_at=np.where(rng.random(n) < 0.08, rng.integers(START, END, n), NEVER),
        email=email,
        email_after=email_after,
        email_changes_at=np.where(rng.random(n) < 0.14, rng.integers(START, END, n), NEVER),
        company=company,
        job_title=job,
        income=income,
        household_size=customers_here[household] + draw(rng, (0.55, 0.22, 0.14, 0.09), n_households)[household],
        need_group=need_group,
        effect_group=effect_group.astype(np.int64),
        channel=channel.astype(np.int64),
        deal_prone=rng.beta(1.6, 2.4, n),
        is_tracked=rng.random(n) < 0.085,
        joined_at=joined_at,
    )


def _incomes(rng: np.random.Generator, spec: Country, age: FloatArray, works: BoolArray) -> IntArray:
    """Draw yearly incomes in EUR, log-normal round a median that depends on country, age and work, in hundreds."""
    curve = np.interp(age, [16, 22, 30, 45, 58, 66, 90], [0.25, 0.5, 0.85, 1.0, 1.05, 0.72, 0.6])
    median = spec.median_income * curve * np.where(works, 1.0, 0.55)
    return np.rint(median * rng.lognormal(0.0, 0.42, len(age)) / 100).astype(np.int64) * 100


def currency_of(country: IntArray) -> IntArray:
    """Give the position in CURRENCIES of each country's currency."""
    return np.array([CURRENCIES.index(spec.currency) for spec in COUNTRIES], dtype=np.int64)[country]
