"""Where people live: countries, cities with region, postcode and area code, streets, phone numbers.

Postcodes begin as the city's real ones do; phone numbers have the right length and prefixes for `phonenumbers` to
call them valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from faker.providers.address.pl_PL import Provider as PolishAddress
from faker.providers.person.de_DE import Provider as GermanPerson
from faker.providers.person.fr_FR import Provider as FrenchPerson

from crm_mining.common.arrays import FloatArray, TextArray
from crm_mining.synth.arrays import draw, texts, zipf


@dataclass(frozen=True)
class Country:
    """What a person's country decides."""

    code: str
    share: float  # of all households
    currency: str
    language: str
    calling_code: str
    landline_length: int  # digits without the leading zero
    mobiles: tuple[tuple[str, int], ...]  # (prefix, digits in all)
    median_income: float  # EUR a year at the age of 45
    mail_domains: tuple[tuple[str, float], ...]
    company_suffixes: tuple[str, ...]
    company_tld: str


COUNTRIES: tuple[Country, ...] = (
    Country(
        "DE",
        0.34,
        "EUR",
        "de",
        "49",
        10,
        (("170", 10), ("171", 10), ("172", 10), ("173", 10), ("174", 10), ("175", 10), ("151", 11), ("176", 11)),
        45_000,
        (
            ("gmail.com", 28),
            ("gmx.de", 20),
            ("web.de", 20),
            ("t-online.de", 11),
            ("outlook.de", 6),
            ("hotmail.com", 5),
            ("freenet.de", 4),
            ("icloud.com", 4),
            ("posteo.de", 2),
        ),
        ("GmbH", "AG", "KG", "GmbH & Co. KG", "OHG"),
        "de",
    ),
    Country(
        "GB",
        0.17,
        "GBP",
        "en",
        "44",
        10,
        (("7711", 10), ("7801", 10), ("7912", 10), ("7531", 10), ("7456", 10), ("7890", 10)),
        39_000,
        (
            ("gmail.com", 38),
            ("hotmail.co.uk", 15),
            ("yahoo.co.uk", 12),
            ("outlook.com", 11),
            ("btinternet.com", 9),
            ("icloud.com", 8),
            ("sky.com", 4),
            ("live.co.uk", 3),
        ),
        ("Ltd", "PLC", "& Sons Ltd", "LLP", "Group"),
        "co.uk",
    ),
    Country(
        "US",
        0.15,
        "USD",
        "en",
        "1",
        10,
        (),
        58_000,
        (
            ("gmail.com", 46),
            ("yahoo.com", 18),
            ("hotmail.com", 9),
            ("aol.com", 7),
            ("outlook.com", 7),
            ("icloud.com", 7),
            ("comcast.net", 4),
            ("verizon.net", 2),
        ),
        ("Inc.", "LLC", "Group", "& Sons", "Corp."),
        "com",
    ),
    Country(
        "FR",
        0.11,
        "EUR",
        "fr",
        "33",
        9,
        (("612", 9), ("650", 9), ("678", 9), ("770", 9), ("781", 9)),
        38_000,
        (
            ("gmail.com", 36),
            ("orange.fr", 19),
            ("hotmail.fr", 12),
            ("free.fr", 10),
            ("wanadoo.fr", 7),
            ("sfr.fr", 7),
            ("laposte.net", 6),
            ("yahoo.fr", 3),
        ),
        ("SA", "SARL", "SAS", "et Fils"),
        "fr",
    ),
    Country(
        "ES",
        0.08,
        "EUR",
        "es",
        "34",
        9,
        (("612", 9), ("634", 9), ("655", 9), ("678", 9), ("699", 9)),
        29_000,
        (
            ("gmail.com", 50),
            ("hotmail.com", 22),
            ("yahoo.es", 11),
            ("telefonica.net", 5),
            ("outlook.es", 8),
            ("icloud.com", 4),
        ),
        ("S.L.", "S.A.", "e Hijos", "S.L.U."),
        "es",
    ),
    Country(
        "PL",
        0.08,
        "PLN",
        "pl",
        "48",
        9,
        (("501", 9), ("512", 9), ("604", 9), ("692", 9), ("721", 9), ("881", 9)),
        19_000,
        (("gmail.com", 37), ("wp.pl", 21), ("onet.pl", 16), ("o2.pl", 11), ("interia.pl", 10), ("outlook.com", 5)),
        ("Sp. z o.o.", "S.A.", "Sp. j."),
        "pl",
    ),
    Country(
        "SE",
        0.07,
        "SEK",
        "sv",
        "46",
        9,
        (("702", 9), ("708", 9), ("725", 9), ("731", 9), ("737", 9), ("761", 9)),
        42_000,
        (
            ("gmail.com", 45),
            ("hotmail.com", 20),
            ("telia.com", 12),
            ("outlook.com", 9),
            ("live.se", 7),
            ("bredband.net", 4),
            ("icloud.com", 3),
        ),
        ("AB", "HB", "Gruppen AB"),
        "se",
    ),
)
COUNTRY_CODES = tuple(country.code for country in COUNTRIES)
CURRENCIES = ("EUR", "GBP", "USD", "SEK", "PLN")
# What one unit is worth in EUR, by year of the order.
RATES_TO_EUR: dict[str, tuple[float, float, float]] = {
    "EUR": (1.0, 1.0, 1.0),
    "GBP": (1.150, 1.181, 1.168),
    "USD": (0.925, 0.924, 0.886),
    "SEK": (0.0871, 0.0875, 0.0904),
    "PLN": (0.2202, 0.2322, 0.2359),
}

# city | region | first characters of its postcodes | area code; the largest first
_CITIES = {
    "DE": """Berlin|Berlin|10,12,13|30
Hamburg|Hamburg|20,22|40
München|Bayern|80,81|89
Köln|Nordrhein-Westfalen|50,51|221
Frankfurt am Main|Hessen|603,604,605|69
Stuttgart|Baden-Württemberg|701,703,705|711
Düsseldorf|Nordrhein-Westfalen|402,404|211
Leipzig|Sachsen|041,042,043|341
Dortmund|Nordrhein-Westfalen|441,442|231
Essen|Nordrhein-Westfalen|451,452|201
Bremen|Bremen|281,282|421
Dresden|Sachsen|010,011|351
Hannover|Niedersachsen|301,304|511
Nürnberg|Bayern|904|911
Duisburg|Nordrhein-Westfalen|470,471|203
Bochum|Nordrhein-Westfalen|447,448|234
Wuppertal|Nordrhein-Westfalen|421,422|202
Bielefeld|Nordrhein-Westfalen|336|521
Bonn|Nordrhein-Westfalen|531|228
Münster|Nordrhein-Westfalen|481|251
Karlsruhe|Baden-Württemberg|761|721
Mannheim|Baden-Württemberg|681|621
Augsburg|Bayern|861|821
Wiesbaden|Hessen|651|611
Mönchengladbach|Nordrhein-Westfalen|410,411|2161
Gelsenkirchen|Nordrhein-Westfalen|458|209
Aachen|Nordrhein-Westfalen|520|241
Kiel|Schleswig-Holstein|241|431
Chemnitz|Sachsen|091|371
Freiburg im Breisgau|Baden-Württemberg|791|761
Lübeck|Schleswig-Holstein|235|451
Mainz|Rheinland-Pfalz|551|6131
Rostock|Mecklenburg-Vorpommern|180,181|381
Kassel|Hessen|341|561
Saarbrücken|Saarland|661|681
Potsdam|Brandenburg|144|331
Würzburg|Bayern|970|931
Göttingen|Niedersachsen|370|551""",
    "GB": """London|Greater London|E,N,SE,SW,W,NW|207
Birmingham|West Midlands|B|121
Manchester|Greater Manchester|M|161
Leeds|West Yorkshire|LS|1132
Glasgow|Glasgow City|G|141
Sheffield|South Yorkshire|S|1142
Liverpool|Merseyside|L|151
Edinburgh|City of Edinburgh|EH|131
Bristol|Bristol|BS|1179
Cardiff|South Glamorgan|CF|2920
Leicester|Leicestershire|LE|1162
Nottingham|Nottinghamshire|NG|1159
Newcastle upon Tyne|Tyne and Wear|NE|191
Southampton|Hampshire|SO|2380
Portsmouth|Hampshire|PO|2392
Coventry|West Midlands|CV|2476
Belfast|County Antrim|BT|2890
Reading|Berkshire|RG|1189
Derby|Derbyshire|DE|1332
Plymouth|Devon|PL|1752
Norwich|Norfolk|NR|1603
Oxford|Oxfordshire|OX|1865
Cambridge|Cambridgeshire|CB|1223
Exeter|Devon|EX|1392
York|North Yorkshire|YO|1904
Bath|Somerset|BA|1225
Brighton|East Sussex|BN|1273
Swansea|West Glamorgan|SA|1792
Aberdeen|Aberdeen City|AB|1224
Dundee|Dundee City|DD|1382""",
    "US": """New York|NY|100|212
Los Angeles|CA|900|213
Chicago|IL|606|312
Houston|TX|770|713
Phoenix|AZ|850|602
Philadelphia|PA|191|215
San Antonio|TX|782|210
San Diego|CA|921|619
Dallas|TX|752|214
Austin|TX|787|512
San Jose|CA|951|408
Jacksonville|FL|322|904
Columbus|OH|432|614
Charlotte|NC|282|704
Indianapolis|IN|462|317
San Francisco|CA|941|415
Seattle|WA|981|206
Denver|CO|802|303
Boston|MA|021|617
Nashville|TN|372|615
Detroit|MI|482|313
Portland|OR|972|503
Memphis|TN|381|901
Louisville|KY|402|502
Baltimore|MD|212|410
Milwaukee|WI|532|414
Albuquerque|NM|871|505
Atlanta|GA|303|404
Miami|FL|331|305
Minneapolis|MN|554|612""",
    "FR": """Paris|Île-de-France|750|1
Marseille|Provence-Alpes-Côte d'Azur|130|491
Lyon|Auvergne-Rhône-Alpes|690|478
Toulouse|Occitanie|310,312,314|561
Nice|Provence-Alpes-Côte d'Azur|060,062,063|493
Nantes|Pays de la Loire|440,442,443|240
Montpellier|Occitanie|340|467
Strasbourg|Grand Est|670,671,672|388
Bordeaux|Nouvelle-Aquitaine|330,331,332|556
Lille|Hauts-de-France|590,598|320
Rennes|Bretagne|350,352,357|299
Reims|Grand Est|511|326
Saint-Étienne|Auvergne-Rhône-Alpes|420,421|477
Le Havre|Normandie|766|235
Toulon|Provence-Alpes-Côte d'Azur|830,831,832|494
Grenoble|Auvergne-Rhône-Alpes|380,381|476
Dijon|Bourgogne-Franche-Comté|210|380
Angers|Pays de la Loire|490,491|241
Nîmes|Occitanie|300,309|466
Clermont-Ferrand|Auvergne-Rhône-Alpes|630,631|473
Le Mans|Pays de la Loire|720,721|243
Brest|Bretagne|292|298
Tours|Centre-Val de Loire|370,371,372|247
Amiens|Hauts-de-France|800,801|322
Limoges|Nouvelle-Aquitaine|870,871|555
Metz|Grand Est|570|387
Besançon|Bourgogne-Franche-Comté|250|381
Orléans|Centre-Val de Loire|450,451|238""",
    "ES": """Madrid|Madrid|280|91
Barcelona|Cataluña|080|93
Valencia|Comunidad Valenciana|460|96
Sevilla|Andalucía|410|95
Zaragoza|Aragón|500|976
Málaga|Andalucía|290|95
Murcia|Región de Murcia|300|968
Palma|Islas Baleares|070|971
Las Palmas de Gran Canaria|Canarias|350|928
Bilbao|País Vasco|480|94
Alicante|Comunidad Valenciana|030|96
Córdoba|Andalucía|140|957
Valladolid|Castilla y León|470|983
Vigo|Galicia|362|986
Gijón|Asturias|332|98
Vitoria-Gasteiz|País Vasco|010|945
A Coruña|Galicia|150|981
Granada|Andalucía|180|958
Elche|Comunidad Valenciana|032|96
Oviedo|Asturias|330|98
Badalona|Cataluña|089|93
Cartagena|Región de Murcia|302|968
Jerez de la Frontera|Andalucía|114|956
Pamplona|Navarra|310|948
Almería|Andalucía|040|950
San Sebastián|País Vasco|200|943
Santander|Cantabria|390|942
León|Castilla y León|240|987""",
    "PL": """Warszawa|mazowieckie|00,01,02,03|22
Kraków|małopolskie|30,31|12
Łódź|łódzkie|90,91,92|42
Wrocław|dolnośląskie|50,51,54|71
Poznań|wielkopolskie|60,61|61
Gdańsk|pomorskie|80|58
Szczecin|zachodniopomorskie|70,71|91
Bydgoszcz|kujawsko-pomorskie|85|52
Lublin|lubelskie|20|81
Białystok|podlaskie|15|85
Katowice|śląskie|40|32
Gdynia|pomorskie|81|58
Częstochowa|śląskie|42|34
Radom|mazowieckie|26|48
Rzeszów|podkarpackie|35|17
Toruń|kujawsko-pomorskie|87|56
Sosnowiec|śląskie|41|32
Kielce|świętokrzyskie|25|41
Gliwice|śląskie|44|32
Olsztyn|warmińsko-mazurskie|10|89
Bielsko-Biała|śląskie|43|33
Zielona Góra|lubuskie|65|68
Opole|opolskie|45|77
Tarnów|małopolskie|33|14
Płock|mazowieckie|09|24
Elbląg|warmińsko-mazurskie|82|55
Koszalin|zachodniopomorskie|75|94""",
    "SE": """Stockholm|Stockholms län|111,112,113,114,116,118|8
Göteborg|Västra Götalands län|411,412,413,414|31
Malmö|Skåne län|211,212,214|40
Uppsala|Uppsala län|752,753|18
Västerås|Västmanlands län|722,723|21
Örebro|Örebro län|702,703|19
Linköping|Östergötlands län|582,583|13
Helsingborg|Skåne län|252,254|42
Jönköping|Jönköpings län|553,554|36
Norrköping|Östergötlands län|602,603|11
Lund|Skåne län|222,224|46
Umeå|Västerbottens län|903,904|90
Gävle|Gävleborgs län|802,803|26
Borås|Västra Götalands län|503,504|33
Södertälje|Stockholms län|151,152|8
Eskilstuna|Södermanlands län|632,633|16
Halmstad|Hallands län|302|35
Växjö|Kronobergs län|352|470
Karlstad|Värmlands län|652,653|54
Sundsvall|Västernorrlands län|852,853|60
Östersund|Jämtlands län|831|63
Luleå|Norrbottens län|972|920
Trollhättan|Västra Götalands län|461|520
Kalmar|Kalmar län|392|480
Falun|Dalarnas län|791|23
Kristianstad|Skåne län|291|44
Skövde|Västra Götalands län|541|500""",
}


@dataclass(frozen=True)
class Places:
    """The cities of one country, as parallel arrays; a city's postcodes are one array each."""

    city: TextArray
    region: TextArray
    area_code: tuple[str, ...]
    postcodes: tuple[TextArray, ...]
    weight: FloatArray
    streets: TextArray
    street_weight: FloatArray


def _postcode(code: str, prefix: str, rng: np.random.Generator) -> str:
    """Write one postcode as the country does, beginning with the city's prefix."""
    digits = "".join(str(digit) for digit in rng.integers(1, 10, 6))
    if code == "GB":
        letters = rng.choice(list("ABDEFGHJLNPQRSTUWXYZ"), 2)
        return f"{prefix}{rng.integers(1, 20)} {digits[0]}{letters[0]}{letters[1]}"
    if code == "PL":
        return f"{prefix}-{digits[:3]}"
    if code == "SE":
        return f"{prefix} {digits[:2]}"
    if code == "FR":  # Paris, Marseille and Lyon number their districts, the others count in hundreds
        return f"{prefix}{digits[0].zfill(2)}" if prefix in ("750", "130", "690") else f"{prefix}00"
    return (prefix + digits)[:5]


def _streets(code: str) -> list[str]:
    """List the street names of a country, the most frequent first, with the street word written out."""
    if code == "DE":
        roots = [
            "Haupt",
            "Bahnhof",
            "Garten",
            "Schul",
            "Berg",
            "Goethe",
            "Schiller",
            "Mozart",
            "Beethoven",
            "Linden",
            "Kirch",
            "Wald",
            "Birken",
            "Rosen",
            "Mühlen",
            "Ahorn",
            "Park",
            "Brunnen",
            "Buchen",
            "Wiesen",
            "Eichen",
            "Tannen",
            "Friedhof",
            "Markt",
            "Rathaus",
            "Lessing",
            "Heine",
            "Kant",
            "Schloss",
            "Fabrik",
        ]
        names = [root + "straße" for root in roots] + [root + "weg" for root in roots[2:24]]
        names += [root + "platz" for root in ("Markt", "Rathaus", "Schiller", "Bahnhofs")]
        names += [root + "allee" for root in ("Linden", "Kastanien", "Birken", "Park")]
        names += [root + "gasse" for root in ("Kirch", "Mühlen", "Brunnen")]
        names += [
            "Konrad-Adenauer-Straße",
            "Theodor-Heuss-Platz",
            "Willy-Brandt-Straße",
            "Robert-Koch-Straße",
            "Berliner Straße",
        ]
        names += [
            "Hamburger Straße",
            "Münchner Straße",
            "Dresdner Straße",
            "Lange Straße",
            "Neue Straße",
            "Breite Straße",
        ]
        return names + [
            name + "straße" for name in GermanPerson.last_names[:160] if "-" not in name and " " not in name
        ]
    if code in ("GB", "US"):
        if code == "GB":
            heads = [
                "High Street",
                "Station Road",
                "Church Road",
                "London Road",
                "Victoria Road",
                "Park Road",
                "Manor Road",
            ]
            roots = [
                "Church",
                "Victoria",
                "Park",
                "Queens",
                "Kings",
                "Mill",
                "Chapel",
                "School",
                "Springfield",
                "Albert",
                "Grange",
                "Windsor",
                "Highfield",
                "York",
                "Grove",
                "Green",
                "Alexandra",
                "New",
                "North",
                "West",
                "South",
                "East",
                "George",
                "Orchard",
                "Meadow",
                "Cambridge",
                "Oxford",
                "Hazel",
                "Willow",
                "Stanley",
            ]
            words = ["Road", "Street", "Avenue", "Lane", "Close", "Drive", "Gardens", "Court", "Terrace"]
        else:
            heads = ["Main Street", "Oak Street", "Maple Avenue", "Park Avenue", "Second Street", "Washington Street"]
            roots = [
                "Oak",
                "Maple",
                "Cedar",
                "Pine",
                "Elm",
                "Washington",
                "Lake",
                "Hill",
                "Walnut",
                "Spring",
                "North",
                "Ridge",
                "Church",
                "Willow",
                "Mill",
                "Sunset",
                "Jackson",
                "Lincoln",
                "Highland",
                "Jefferson",
                "Madison",
                "Franklin",
                "Cherry",
                "Dogwood",
                "Hickory",
                "River",
                "Meadow",
                "Adams",
                "Forest",
                "Chestnut",
            ]
            words = ["Street", "Avenue", "Drive", "Road", "Lane", "Court", "Boulevard", "Place", "Circle", "Way"]
        return list(dict.fromkeys(heads + [f"{root} {word}" for word in words for root in roots]))
    if code == "FR":
        names = [
            "de la République",
            "Victor Hugo",
            "de la Gare",
            "Jean Jaurès",
            "Pasteur",
            "du Général de Gaulle",
            "de la Liberté",
            "des Écoles",
            "du Moulin",
            "de l'Église",
            "Gambetta",
            "Émile Zola",
            "Jules Ferry",
            "des Lilas",
            "du Château",
            "Voltaire",
            "de la Paix",
            "des Acacias",
            "de Verdun",
            "Léon Blum",
            "des Tilleuls",
            "Molière",
            "du Stade",
            "Anatole France",
            "de la Fontaine",
            "Saint-Michel",
            "des Roses",
            "du Marché",
            "Carnot",
        ]
        heads = [
            f"{word} {name}" for word in ("Rue", "Avenue", "Boulevard", "Place", "Chemin", "Impasse") for name in names
        ]
        return heads + [
            f"Rue {first} {last}"
            for first, last in zip(FrenchPerson.first_names_male, FrenchPerson.last_names[:80], strict=False)
        ]
    if code == "ES":
        names = [
            "Mayor",
            "Real",
            "de la Constitución",
            "Nueva",
            "San José",
            "de la Iglesia",
            "del Sol",
            "Cervantes",
            "de Andalucía",
            "Goya",
            "San Juan",
            "de España",
            "de la Paz",
            "Santa María",
            "del Carmen",
            "Colón",
            "de los Reyes Católicos",
            "Velázquez",
            "del Pilar",
            "Federico García Lorca",
            "San Miguel",
            "de la Fuente",
            "Ramón y Cajal",
            "de Castilla",
            "Miguel Hernández",
            "de la Estación",
            "de Gran Vía",
            "Doctor Fleming",
            "Murillo",
            "Picasso",
        ]
        return [f"{word} {name}" for word in ("Calle", "Avenida", "Plaza", "Paseo", "Camino") for name in names]
    if code == "PL":
        names = [name for name in PolishAddress.streets_adjective_feminine if name[0].isupper()][:140]
        names += [
            "Kościuszki",
            "Mickiewicza",
            "Sienkiewicza",
            "Słowackiego",
            "Piłsudskiego",
            "Kopernika",
            "Sikorskiego",
            "Reymonta",
        ]
        return (
            [f"ulica {name}" for name in names]
            + [f"aleja {name}" for name in names[-8:]]
            + [f"plac {name}" for name in names[-6:]]
        )
    roots = [
        "Stor",
        "Kungs",
        "Skol",
        "Järnvägs",
        "Ring",
        "Skogs",
        "Ny",
        "Gran",
        "Idrotts",
        "Kyrko",
        "Drottning",
        "Björk",
        "Park",
        "Trädgårds",
        "Ängs",
        "Lövs",
        "Bergs",
        "Strand",
        "Hamn",
        "Köpmans",
        "Åker",
        "Kvarn",
        "Sjö",
        "Väster",
        "Öster",
        "Norr",
        "Söder",
        "Ek",
        "Tall",
        "Lind",
        "Asp",
        "Rönn",
        "Hassel",
        "Industri",
        "Fabriks",
    ]
    return [root + word for word in ("gatan", "vägen", "stigen", "gränden", "torget") for root in roots]


@cache
def places(code: str) -> Places:
    """Build the cities and streets of a country; the same in every run and on every machine."""
    rng = np.random.default_rng([2023, *code.encode()])
    rows = [line.split("|") for line in _CITIES[code].splitlines()]
    postcodes = tuple(
        texts(sorted({_postcode(code, prefix, rng) for prefix in row[2].split(",") for _ in range(8)})) for row in rows
    )
    streets = texts(_streets(code))
    return Places(
        city=texts([row[0] for row in rows]),
        region=texts([row[1] for row in rows]),
        area_code=tuple(row[3] for row in rows),
        postcodes=postcodes,
        weight=zipf(len(rows), flat_head=2.0, exponent=0.8),
        streets=streets,
        street_weight=zipf(len(streets), flat_head=8.0, exponent=0.7),
    )


def _digits(rng: np.random.Generator, count: int, length: int) -> TextArray:
    """Draw `count` runs of `length` digits whose first lies between 2 and 7, as subscriber numbers' do."""
    number = rng.integers(2, 8, count) * 10 ** (length - 1) + rng.integers(0, 10 ** (length - 1), count)
    return np.asarray(number.astype(str).astype(object))


def draw_phones(rng: np.random.Generator, country: Country, city: np.ndarray, mobile: bool) -> TextArray:
    """Draw phone numbers in E.164.

    Parameters
    ----------
    rng
        Source of randomness.
    country
        Country of all of them.
    city
        Position of each person's city in `places(country.code)`; its length says how many to draw.
    mobile
        Whether to draw mobile numbers (in the US they have the city's area code, too).
    """
    out = np.empty(len(city), dtype=object)
    if mobile and country.mobiles:
        plans = list(country.mobiles)
        choice = draw(rng, np.ones(len(plans)), len(city))
    else:
        plans = [(area, country.landline_length) for area in places(country.code).area_code]
        choice = np.asarray(city, dtype=np.int64)
    for position, (prefix, length) in enumerate(plans):
        chosen = np.flatnonzero(choice == position)
        if len(chosen):
            out[chosen] = f"+{country.calling_code}{prefix}" + _digits(rng, len(chosen), length - len(prefix))
    return out
