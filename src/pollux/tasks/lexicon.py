"""Names and values by kind, drawn by seed, with some of each kept out of training.

    draw("vessel", rng, "train")    "the Aurelia"        SUBJECTS: what a statement is about
    draw("price", rng, "heldout")   "312 francs"         VALUES: what it says, and what is asked for
    attribute("number", rng)        "access code"        ATTRIBUTES: what relates the two

Every word, invented name and number belongs to one split only, by the crc32 of its text: about one in five is held out. A
string made of several words takes all of them from its own split, so no held-out string is ever drawn in training. The
hash folds case and drops number formatting: "heron" and "Project Heron" fall together, and so do "$48.50" and "4850".

How the strings are written, so that sentences can be built around them:
    - vessel, event and room begin with "the"; object is a bare noun phrase ("brass telescope"); other subjects are names;
    - profession and animal_species begin with a consonant sound, so "a" may stand before them;
    - count is 2 or more, so a plural may follow it;
    - spot begins with a preposition ("behind the brass telescope").
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import TypeVar
from zlib import crc32

SPLITS = ("train", "heldout")

T = TypeVar("T")


def _commas(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(" ".join(part.split()) for part in text.split(",")))


def _spaces(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split()))


_OBJECTS = """
    telescope lantern compass kettle violin mirror ledger barrel anchor bell clock candlestick chest cabinet globe harp drum
    flute trumpet typewriter microscope sextant barometer goblet teapot ladle skillet anvil hammer chisel saddle bridle
    wagon carriage bicycle rowboat umbrella suitcase satchel locket bracelet necklace ring brooch medallion helmet shield
    dagger sword spear arrow quiver banner tapestry carpet cushion armchair bench desk bookcase wardrobe cradle chandelier
    lamp vase urn statue mask puppet chessboard kite spindle loom needle thimble button buckle belt glove boot scarf cloak
    parasol fan comb inkwell quill envelope parcel padlock key gate ladder pulley crate basket bucket jug bottle flask
    tankard plate bowl spoon fork tray oven furnace piano accordion banjo camera projector radio telephone engine turbine
"""
_NOUNS = (
    _OBJECTS
    + """
    harbour meadow orchard glacier canyon valley river island lagoon desert forest thicket prairie summit ridge cavern
    volcano geyser waterfall marsh delta reef tide current storm blizzard thunder drizzle rainbow sunrise twilight midnight
    winter autumn harvest festival parade voyage journey expedition pilgrimage rescue treaty verdict charter manifesto
    riddle proverb legend fable ballad sonnet anthem melody chorus rhythm echo whisper silence laughter applause memory
    promise secret rumour bargain gamble fortune treasure bounty ransom tribute wage pension loan census ballot parliament
    senate council tribunal garrison fortress citadel castle chapel abbey cathedral monastery library museum theatre academy
    laboratory observatory foundry sawmill brewery bakery tavern market warehouse wharf lighthouse bridge tunnel viaduct
    railway turnpike crossing junction frontier province village hamlet capital empire republic colony anchorite pilgrim
    sailor merchant blacksmith shepherd falconer scholar jester herald sentinel envoy courier pioneer outlaw stranger
    acorn bramble clover fern ivy juniper laurel lichen maple mistletoe nettle poppy rosemary saffron thistle tulip willow
    almond apricot barley cinnamon ginger honey nutmeg olive pepper pumpkin quince raisin turnip walnut badger beetle cricket
    falcon ferret gazelle heron jackal kestrel lemur magpie otter panther raven salmon sparrow stallion tortoise viper
    comet eclipse galaxy meteor nebula orbit planet satellite zenith magnet prism crystal quartz pebble boulder ember
    flame cinder smoke vapour mercury nickel cobalt copper pewter velvet linen satin canvas leather parchment ribbon tassel
    theorem fraction polygon spiral vertex axiom formula sequence puzzle cipher alphabet glossary chapter margin footnote
"""
)
_ADJECTIVES = """
    brass silver golden copper iron wooden marble ivory amber crimson scarlet azure emerald violet turquoise ochre russet
    ancient antique modern novel early late first final hidden secret lost broken mended polished rusty tarnished painted
    carved engraved woven knitted quilted folded hollow solid narrow wide shallow deep tall short slender stout crooked
    straight round square oval pointed blunt sharp smooth rough coarse gritty silken fuzzy sticky slippery dusty muddy
    sandy frosty icy snowy misty foggy cloudy sunny windy stormy gloomy dim bright brilliant dazzling pale dark shadowy
    quiet silent noisy loud shrill mellow gentle fierce savage timid brave bold reckless careful clumsy nimble swift slow
    steady restless sleepy drowsy wakeful eager idle lazy busy merry cheerful jolly solemn grave stern humble proud noble
    royal rustic rural urban coastal northern southern eastern western distant nearby remote lonely crowded vacant empty
    full heavy light weightless sturdy fragile brittle supple stiff limber tender bitter sweet sour salty spicy savoury
    bland fragrant pungent fresh stale ripe raw frozen molten boiling lukewarm cool warm humid arid lush barren fertile
    wild tame curious clever witty foolish wise shrewd honest cunning patient stubborn generous frugal thrifty lavish
    simple ornate elegant plain splendid modest famous obscure peculiar ordinary uncanny magnetic electric mechanical
    portable folding floating sunken buried orphaned borrowed stolen forgotten faithful wandering singing laughing
"""
_FIRST_NAMES = """
    Ada Agnes Aiko Alaric Alma Amara Amina Anders Anika Anton Arjun Astrid August Aurelio Beatrix Benedict Bianca Bjorn Boris
    Brigid Bruno Camila Caspar Cecily Chidi Clara Clement Conrad Cora Cyrus Dahlia Damian Daphne Darius Delphine Dmitri Dora
    Edgar Edith Eduardo Efua Eleanor Elias Elif Elsa Emeka Emil Enid Erik Esme Estelle Ezra Fatima Felix Fern Fiona Flora
    Florian Freya Gabriel Gemma Gideon Giulia Greta Gustav Hana Hannah Harold Hassan Hazel Hector Helga Henrik Hilda Hiro
    Hugo Ibrahim Ida Ignacio Ilse Imogen Ines Ingrid Irena Isaac Isla Ivan Ivy Jasper Joao Johanna Jonas Josefa Judith
    Julian June Kamal Karin Kasimir Kenji Kiran Klara Kofi Lars Laszlo Leila Leon Leopold Lila Linnea Lorenzo Lucia Ludwig
    Luz Mabel Magnus Maite Malik Marcel Margit Mariam Marius Mateo Matilda Maud Maxim Mei Mercy Milan Mina Miriam Moses
    Nadia Naomi Natalia Nikolai Nils Noor Nora Octavia Olga Olive Omar Orla Oscar Otto Pablo Pearl Percy Petra Philippa Pia
    Priya Quentin Rafael Ramona Rania Ravi Reuben Rhea Rosa Rowan Rufus Ruth Sabine Salma Samir Sanjay Saskia Selma Sergei
    Sigrid Silas Simone Soren Stella Sunita Sven Tamar Tariq Tessa Thea Theodore Tobias Tomas Ulrich Una Ursula Valentin
    Vera Victor Viola Vivek Walter Wanda Wilfred Winifred Xavier Yara Yasmin Yusuf Zara Zelda Zoltan
"""
_LAST_NAMES = """
    Abbott Acheson Adeyemi Aldridge Almeida Andersen Aoki Arkwright Ashworth Atherton Bakker Banerjee Barlow Bauer Beaumont
    Becker Bellamy Bergstrom Bianchi Blackwood Blanchard Boateng Bondarenko Bosch Braddock Brandt Calloway Carmichael
    Castellano Chandra Chatterjee Chaudhry Clayborne Colbert Corrigan Crawford Crowther Dalgaard Dankworth Delacroix Desai
    Dimitrov Donnelly Drummond Duarte Dubois Dunmore Eberhardt Ekwueme Eriksen Fairbanks Falk Farrow Fenwick Ferreira
    Fitzgerald Fontaine Forsyth Fujimoto Gallagher Garrick Gautier Gertz Gilchrist Goldberg Gonzales Grantham Greenlee
    Grimaldi Gupta Haddad Halvorsen Hargreaves Hartmann Hashimoto Hathaway Hawthorne Hendricks Hernandez Hollis Holmberg
    Horvath Huang Ibanez Ikeda Ingram Isaksson Ivanova Iyer Jablonski Janssen Jarvis Jensen Kaminski Kapoor Karlsson
    Kaufmann Keating Keller Khan Kimura Kingsley Kjeldsen Kovacs Kowalski Kruger Lachance Lambert Langford Larkin Laurent
    Leclerc Lindqvist Lockwood Lombardi Lund Macready Maddox Mahmoud Malhotra Marchetti Marlow Mbeki Mendoza Mercer Meyer
    Mikkelsen Molina Montague Moreau Morozov Mukherjee Nakamura Navarro Neumann Nguyen Nkosi Nordstrom Novak Nwosu Oakley
    Obermeier Ocampo Okafor Oliveira Olsen Onishi Ortega Osborne Pacheco Pappas Pashkov Pemberton Petrov Pickering Popescu
    Prescott Quigley Quiroga Rahman Ramires Rasmussen Redfern Reinhardt Ricci Rosenthal Rossi Rutherford Saito Salazar
    Santoro Sato Schaefer Sedgwick Seymour Sharma Silva Sinclair Sokolov Sorensen Stanhope Steiner Stroud Sutherland
    Takahashi Talbot Tanaka Thackeray Thorne Tremblay Underhill Valdez Vance Vasquez Villanueva Vogel Wainwright Wakefield
    Weber Weiss Whitlock Winslow Wolff Yamada Yilmaz Zapata Zhang Zielinski
"""
_CITIES = """
    Aberdeen, Accra, Adelaide, Aleppo, Algiers, Alicante, Amsterdam, Ankara, Antwerp, Asmara, Athens, Auckland, Augsburg,
    Austin, Baku, Baltimore, Bamako, Bangalore, Bangkok, Barcelona, Basel, Beirut, Belfast, Belgrade, Bergen, Berlin,
    Bilbao, Bogota, Bologna, Bordeaux, Boston, Bratislava, Bremen, Brisbane, Bristol, Brussels, Bucharest, Budapest,
    Buenos Aires, Cairo, Calgary, Canberra, Cape Town, Cardiff, Casablanca, Catania, Chennai, Chicago, Christchurch,
    Cincinnati, Cologne, Colombo, Copenhagen, Cordoba, Cork, Dakar, Damascus, Dar es Salaam, Denver, Detroit, Dhaka, Doha,
    Dresden, Dubai, Dublin, Dundee, Durban, Edinburgh, Fez, Florence, Frankfurt, Freetown, Galway, Gdansk, Geneva, Genoa,
    Ghent, Glasgow, Gothenburg, Granada, Graz, Guadalajara, Guatemala City, Hamburg, Hanoi, Harare, Havana, Heidelberg,
    Helsinki, Hiroshima, Hobart, Hyderabad, Innsbruck, Istanbul, Jaipur, Jakarta, Johannesburg, Kampala, Karachi,
    Kathmandu, Khartoum, Kigali, Kingston, Kinshasa, Krakow, Kyoto, La Paz, Lagos, Lahore, Leeds, Leipzig, Lima, Lisbon,
    Liverpool, Ljubljana, Luanda, Lucknow, Lusaka, Lyon, Madrid, Malaga, Manchester, Manila, Maputo, Marrakesh, Marseille,
    Medellin, Melbourne, Memphis, Milan, Minsk, Mombasa, Monterrey, Montevideo, Montreal, Mumbai, Munich, Nairobi, Nantes,
    Naples, Nice, Nicosia, Osaka, Oslo, Ottawa, Palermo, Panama City, Paris, Perth, Philadelphia, Phoenix,
    Pittsburgh, Porto,
    Prague, Pretoria, Quito, Rabat, Reykjavik, Riga, Rome, Rotterdam, Salzburg, Samarkand, San Diego, Santiago, Sapporo,
    Sarajevo, Seattle, Seoul, Seville, Shanghai, Singapore, Sofia, Stockholm, Stuttgart, Sydney, Taipei, Tallinn, Tampere,
    Tashkent, Tbilisi, Toledo, Toronto, Toulouse, Trieste, Tunis, Turin, Utrecht, Valencia, Valparaiso, Vancouver, Venice,
    Verona, Vienna, Vilnius, Warsaw, Wellington, Windhoek, Winnipeg, Yerevan, Zagreb, Zanzibar, Zurich
"""
_COLOURS = """
    red, green, blue, yellow, orange, purple, brown, black, white, grey, pink, crimson, scarlet, vermilion, maroon,
    burgundy,
    magenta, fuchsia, lilac, lavender, violet, indigo, navy, cobalt, azure, cerulean, turquoise, teal, cyan, aquamarine,
    emerald, jade, olive, chartreuse, khaki, mustard, amber, ochre, saffron, gold, copper, bronze, russet, sienna, umber,
    beige, cream, ivory, silver, charcoal, ebony, mauve, coral, salmon, peach, apricot, tan, sepia
"""
_COMPOUND_COLOURS = ", ".join(
    f"{shade} {hue}"
    for shade in ("pale", "dark", "light", "deep", "dusty", "bright")
    for hue in ("red", "green", "blue", "yellow", "orange", "purple", "brown", "grey", "pink", "violet", "teal", "gold")
)
_MATERIALS = """
    oak, walnut, mahogany, teak, cedar, pine, birch, ebony, bamboo, cork, rattan, brass, bronze, copper, pewter,
    iron, steel,
    cast iron, stainless steel, aluminium, titanium, nickel, tin, zinc, lead, silver, gold, platinum, marble, granite,
    limestone, sandstone, slate, basalt, soapstone, alabaster, jade, onyx, quartz, amber, ivory, bone, horn, porcelain,
    earthenware, terracotta, stoneware, glass, frosted glass, crystal, brick, concrete, plaster, clay, leather,
    suede, felt,
    wool, cashmere, linen, cotton, silk, velvet, satin, canvas, denim, burlap, hemp, nylon, rubber, vulcanite, bakelite,
    celluloid, fibreglass, carbon fibre, cardboard, papier-mache, parchment, vellum, wicker, straw, wax
"""
_FOODS = """
    lentil soup, onion soup, smoked trout, grilled mackerel, pickled herring, salted cod, roast chicken, roast duck, lamb
    stew, beef stew, goulash, mutton pie, shepherd's pie, fish pie, cornbread, rye bread, sourdough, soda bread,
    flatbread,
    barley porridge, oatmeal, rice pudding, plum pudding, apple crumble, rhubarb tart, lemon cake, ginger biscuits,
    shortbread, marzipan, nougat, fudge, honey cake, baklava, halva, couscous, tabbouleh, hummus, falafel, stuffed
    peppers,
    moussaka, paella, gazpacho, risotto, gnocchi, lasagne, ravioli, polenta, minestrone, pierogi, borscht, dumplings,
    sauerkraut, potato salad, boiled eggs, scrambled eggs, mushroom omelette, cheese on toast, baked beans, fried rice,
    noodle soup, ramen, tempura, miso soup, kimchi, bibimbap, pad thai, green curry, dal, biryani, samosas, chapati,
    tamales, empanadas, ceviche, black beans, plantain chips, jollof rice, peanut stew, candied almonds, dried figs, fresh
    dates, stewed pears, blackberry jam, orange marmalade, goat cheese, watercress sandwiches, crab cakes, clam chowder
"""
_PROFESSIONS = """
    baker, baron's steward, barber, beekeeper, blacksmith, bookbinder, botanist, brewer, bricklayer, butcher,
    cabinetmaker,
    carpenter, cartographer, chemist, chimney sweep, choirmaster, clockmaker, coachman, cobbler, composer, cooper, court
    reporter, dentist, ship's surgeon, diplomat, dressmaker, ferryman, fisherman, florist, gardener, glassblower,
    goldsmith,
    grocer, gunsmith, haberdasher, harbour pilot, hatter, jeweller, journalist, judge, lacemaker, librarian,
    lighthouse keeper,
    locksmith, lumberjack, machinist, mathematician, mechanic, midwife, miller, miner, music teacher, night watchman,
    notary,
    nurse, painter, perfumer, pharmacist, photographer, piano tuner, plumber, poet, porter, postmaster, potter, printer,
    puppeteer, railway clerk, roofer, sailmaker, schoolteacher, sculptor, seamstress, shepherd, shipwright, signalman,
    silversmith, stonemason, surveyor, tailor, tanner, taxidermist, telegraphist, tinsmith, translator, typesetter,
    veterinarian, violin maker, watchmaker, weaver, wheelwright, wine merchant, zoologist
"""
_SPECIES = """
    badger, barn owl, barracuda, bat, bear, beaver, bison, bobcat, buffalo, bullfrog, buzzard, camel, capybara, caribou,
    chameleon, cheetah, chinchilla, cockatoo, cormorant, cougar, coyote, crane, crocodile, crow, dingo, dolphin, donkey,
    dormouse, dragonfly, falcon, ferret, finch, firefly, flamingo, fox, gazelle, gecko, gibbon, giraffe, goat, goose,
    goshawk,
    greyhound, grouse, hamster, hare, hawk, hedgehog, heron, hippopotamus, hornbill, hyena, jackal, jaguar, jay, kangaroo,
    kestrel, kingfisher, koala, lapwing, lemur, leopard, lizard, llama, lobster, lynx, macaw, magpie, manatee, marmot,
    meerkat, mink, mole, mongoose, moose, mountain goat, newt, nightingale, panther, parrot, peacock, pelican, penguin,
    pheasant, pine marten, polecat, porcupine, puffin, puma, python, rabbit, raccoon, raven, reindeer, rhinoceros, robin,
    salamander, sandpiper, scorpion, sea lion, seal, skunk, skylark, sloth, snow leopard, sparrow, squid, stag, starling,
    stoat, stork, swan, tapir, terrier, tiger, toad, tortoise, toucan, turtle, viper, vole, vulture, walrus, warthog,
    weasel,
    wolf, wolverine, wombat, woodpecker, yak, zebra
"""
_PET_NAMES = """
    Biscuit Pepper Marmalade Domino Thistle Clover Noodle Pickle Rusty Smudge Juniper Waffles Bramble Toffee Ziggy Nutmeg
    Tango Snowdrop Patches Mochi Pippin Sable Truffle Dusty Willow Cobweb Figaro Socks Bandit Moss Tinker Comet Olive Barnaby
    Mango Dumpling Freckles Gizmo Hopscotch Indigo Jellybean Kipper Luna Muffin Nibbles Otis Peaches Quill Radish Saffron
"""
_HALLS = """
    gallery, chamber, study, library, parlour, attic, cellar, pantry, kitchen, ballroom, conservatory, laboratory,
    workshop,
    archive, vault, office, lounge, dormitory, infirmary, chapel, corridor, pavilion, tower room, reading room, map room,
    boiler room, control room, billiard room, drawing room, music room, meeting room, waiting room, cloakroom, storeroom
"""
_ROOM_ADJECTIVES = """
    north, south, east, west, upper, lower, inner, outer, old, new, long, small, great, red, blue, green, yellow,
    white, grey,
    oak, marble, velvet, mirrored, vaulted, panelled, round, octagonal, sunken, private, front, back, middle, second,
    third,
    disused, restored, painted, glass, amber, silver, copper, ivory, crimson, walnut, lavender, guest, staff, visitors'
"""
_GATHERINGS = """
    Festival, Fair, Regatta, Parade, Congress, Exhibition, Tournament, Auction, Ball, Marathon, Symposium, Jubilee,
    Banquet,
    Carnival, Derby, Rally, Conference, Gala, Pageant, Summit, Concert, Workshop, Bazaar, Biennale, Convention, Hackathon
"""
_FIRMS = """
    Instruments, & Sons, & Daughters, Ltd, Holdings, Shipping, Textiles, Analytics, Robotics, Brewing Company, Foods,
    Press,
    Publishing, Motors, Optics, Ceramics, Logistics, Partners, Mutual, Savings Bank, Timber, Mining, Aviation, Insurance,
    Pharmaceuticals, Electric, Foundry, Cooperative, Laboratories, Railways, Freight, Steelworks, Clinic, College
"""
_CLUBS = """
    United, City, Athletic, Town, Rowing Club, Cricket Club, Chess Club, Hockey Club, Debating Club, Racing, Albion, FC,
    Cycling Club, Curling Club, Fencing Club, Sporting, Dynamo, Union, Olympic, Swimming Club
"""
_UNITS = ("miles", "km", "kilometres", "metres", "feet", "yards", "leagues", "nautical miles", "paces", "fathoms")
_COINS = ("francs", "crowns", "dollars", "euros", "pounds", "yen", "shillings", "guilders", "marks", "rupees", "pesos")
_MONTHS = _spaces("January February March April May June July August September October November December")
_ONES = _spaces(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_ORDINALS = _spaces(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth "
    "seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth "
    "twenty-seventh twenty-eighth"
)
_PREPOSITIONS = _commas("behind, under, beneath, beside, inside, on top of, next to, in, above, below, close to, in front of")
_TENS = _spaces("twenty thirty forty fifty sixty seventy eighty ninety")


WORDS: dict[str, tuple[str, ...]] = {
    "object": _spaces(_OBJECTS),
    "noun": _spaces(_NOUNS),
    "adjective": _spaces(_ADJECTIVES),
    "first": _spaces(_FIRST_NAMES),
    "last": _spaces(_LAST_NAMES),
    "city": _commas(_CITIES),
    "colour": _commas(_COLOURS + "," + _COMPOUND_COLOURS),
    "material": _commas(_MATERIALS),
    "food": _commas(_FOODS),
    "profession": _commas(_PROFESSIONS),
    "species": _commas(_SPECIES),
    "pet": _spaces(_PET_NAMES),
    "hall": _commas(_HALLS),
    "room adjective": _commas(_ROOM_ADJECTIVES),
    "gathering": _commas(_GATHERINGS),
    "firm": _commas(_FIRMS),
    "club": _commas(_CLUBS),
}


def split_of(text: str) -> str:
    """The one split that a word, an invented name or a number belongs to."""
    return "heldout" if crc32(text.casefold().encode()) % 5 == 0 else "train"


@cache
def _words(name: str, split: str) -> tuple[str, ...]:
    return tuple(word for word in WORDS[name] if split_of(word) == split)


def _word(name: str, rng: Random, split: str) -> str:
    return rng.choice(_words(name, split))


def _own(make: Callable[[], T], key: Callable[[T], str], split: str) -> T:
    """Make again until the result's key belongs to the split: five times on average for the rarer one."""
    while split_of(key(made := make())) != split:
        pass
    return made


def _integer(low: int, high: int, rng: Random, split: str) -> int:
    return _own(lambda: rng.randint(low, high), str, split)


def common(rng: Random) -> str:
    """A common noun, such as "needle", of either split."""
    return rng.choice(_spaces(_NOUNS))


_ONSETS = _spaces("b br c cl d dr f fl g gr h j k kr l m n p pr r s sh sk sl st t th tr v w y z")
_VOWELS = (*"aaaeeeiiooou", "ae", "ai", "ea", "ei", "ia", "io", "ou")
_CODAS = ("", "", "", *_spaces("l m n r s t th nd rn lk ss x rv sk nt"))
_TOWN_ENDINGS = ("", "", "", "ton", "wick", "haven", "by", "mere", "ford", "stead", "burgh", "vale", "minster", "port")
_SHIP_ENDINGS = ("ia", "elle", "ora", "is", "ine", "andra", "us", "ana")


def invented(rng: Random, split: str, endings: tuple[str, ...] = ("",)) -> str:
    """A pronounceable name of two or three syllables, such as "Skaldrea"."""

    def make() -> str:
        syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.choice((2, 2, 3)))]
        return ("".join(syllables) + (rng.choice(endings) or rng.choice(_CODAS))).capitalize()

    return _own(make, str, split)


def _ship(rng: Random, split: str) -> str:
    def make() -> str:
        stem = rng.choice(_ONSETS) + rng.choice("aeiou") + rng.choice("lrnmvdst")
        return (stem + rng.choice(_SHIP_ENDINGS)).capitalize()

    return _own(make, str, split)


# Subjects


def _person(rng: Random, split: str) -> str:
    last = _word("last", rng, split) if rng.random() < 0.6 else invented(rng, split)
    return f"{_word('first', rng, split)} {last}"


def _place(rng: Random, split: str) -> str:
    if rng.random() < 0.5:
        return _word("city", rng, split)
    return rng.choice(("", "", "", "", "Port ", "Upper ", "Old ")) + invented(rng, split, _TOWN_ENDINGS)


def _object(rng: Random, split: str) -> str:
    return f"{_word('adjective', rng, split)} {_word('object', rng, split)}"


def _organisation(rng: Random, split: str) -> str:
    name = _word("last", rng, split) if rng.random() < 0.4 else invented(rng, split)
    return f"{name} {_word('firm', rng, split)}"


def _project(rng: Random, split: str) -> str:
    name = _word("noun", rng, split).capitalize() if rng.random() < 0.6 else invented(rng, split)
    if rng.random() < 0.2:
        name = f"{_word('adjective', rng, split).capitalize()} {name}"
    return f"{rng.choice(('Project', 'Project', 'Project', 'Operation', 'Programme'))} {name}"


def _animal(rng: Random, split: str) -> str:
    name = _word("pet", rng, split) if rng.random() < 0.6 else invented(rng, split)
    return name if rng.random() < 0.4 else f"{name} the {_word('species', rng, split)}"


def _vessel(rng: Random, split: str) -> str:
    style = rng.random()
    if style < 0.25:
        return f"the {_word('adjective', rng, split).capitalize()} {_word('noun', rng, split).capitalize()}"
    if style < 0.4:
        return f"the {_word('first', rng, split)} {_word('last', rng, split)}"
    return f"the {rng.choice(('', '', '', 'MV ', 'SS '))}{_ship(rng, split)}"


def _event(rng: Random, split: str) -> str:
    first = rng.choice((lambda: _word("noun", rng, split).capitalize(), lambda: _place(rng, split)))()
    return f"the {first} {_word('gathering', rng, split)}"


def _room(rng: Random, split: str) -> str:
    return f"the {_word('room adjective', rng, split)} {_word('hall', rng, split)}"


def _team(rng: Random, split: str) -> str:
    return f"{_place(rng, split)} {_word('club', rng, split)}"


def _thing(rng: Random, split: str) -> str:
    return f"{_word('adjective', rng, split)}-{_word('noun', rng, split)}"


# Values


def _number(rng: Random, split: str) -> str:
    digits = rng.randint(4, 7)
    return str(_integer(10 ** (digits - 1), 10**digits - 1, rng, split))


def _code(rng: Random, split: str) -> str:
    letters, digits = "ABCDEFGHJKLMNPQRSTUVWXYZ", "0123456789"
    pattern = rng.choice(("AA-0000", "A00-00-A", "AAA000", "0A0AA0", "A-00000", "AA/000", "000-AAA", "A0A 0A0", "AA00AA"))
    faces = {"A": letters, "0": digits}
    return _own(lambda: "".join(rng.choice(faces.get(sign, sign)) for sign in pattern), str, split)


def _phrase(rng: Random, split: str) -> str:
    return f"{_word('adjective', rng, split)} {_word('noun', rng, split)}"


def preposition(rng: Random) -> str:
    """What a spot begins with."""
    return rng.choice(_PREPOSITIONS)


def _spot(rng: Random, split: str) -> str:
    which = f"{_word('adjective', rng, split)} " if rng.random() < 0.4 else ""
    return f"{preposition(rng)} the {which}{_word('object', rng, split)}"


def _date(rng: Random, split: str) -> str:
    if rng.random() < 0.1:  # without a year
        month, day = _own(lambda: (rng.randint(1, 12), rng.randint(1, 28)), str, split)
        name = _MONTHS[month - 1]
        return rng.choice((f"{day} {name}", f"{name} {day}", f"the {_ORDINALS[day - 1]} of {name}"))
    year, month, day = _own(lambda: (rng.randint(1700, 2060), rng.randint(1, 12), rng.randint(1, 28)), str, split)
    name = _MONTHS[month - 1]
    return rng.choice(
        (
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
            f"{day} {name[:3]} {year}",
            f"{year}-{month:02d}-{day:02d}",
            f"{day:02d}.{month:02d}.{year}",
            f"{day:02d}/{month:02d}/{year}",
            f"the {_ORDINALS[day - 1]} of {name}, {year}",
        )
    )


def _time(rng: Random, split: str) -> str:
    hour, minute = _own(lambda: (rng.randint(0, 23), rng.randint(0, 59)), str, split)
    half, twelve = ("am", "pm")[hour >= 12], (hour - 1) % 12 + 1
    return rng.choice((f"{hour:02d}:{minute:02d}", f"{twelve}:{minute:02d} {half}", f"{twelve}.{minute:02d}{half}"))


def _price(rng: Random, split: str) -> str:
    if rng.random() < 0.5:
        hundredths = _integer(100, 99_999, rng, split)
        return f"{rng.choice('$£€')}{hundredths // 100}.{hundredths % 100:02d}"
    whole = _integer(3, 9_999, rng, split)
    return f"{rng.choice('$£€')}{whole:,}" if rng.random() < 0.4 else f"{whole:,} {rng.choice(_COINS)}"


def _distance(rng: Random, split: str) -> str:
    if rng.random() < 0.25:
        tenths = _integer(11, 999, rng, split)
        return f"{tenths // 10}.{tenths % 10} {rng.choice(_UNITS[:3])}"
    return f"{_integer(2, 999, rng, split)} {rng.choice(_UNITS)}"


def _count(rng: Random, split: str) -> str:
    number = _integer(2, 99, rng, split)
    if rng.random() < 0.5:
        return str(number)
    if number < 20:
        return _ONES[number]
    return _TENS[number // 10 - 2] + (f"-{_ONES[number % 10]}" if number % 10 else "")


def _hex(rng: Random, split: str) -> str:
    return _own(lambda: "".join(rng.choices("0123456789abcdef", k=rng.randint(8, 12))), str, split)


Draw = Callable[[Random, str], str]

SUBJECTS: dict[str, Draw] = {
    "person": _person,
    "place": _place,
    "object": _object,
    "organisation": _organisation,
    "project": _project,
    "animal": _animal,
    "vessel": _vessel,
    "event": _event,
    "room": _room,
    "team": _team,
    "thing": _thing,
}
VALUES: dict[str, Draw] = {
    "number": _number,
    "code": _code,
    "word": lambda rng, split: _word("noun", rng, split),
    "phrase": _phrase,
    "person": _person,
    "place": _place,
    "spot": _spot,
    "date": _date,
    "time": _time,
    "price": _price,
    "colour": lambda rng, split: _word("colour", rng, split),
    "material": lambda rng, split: _word("material", rng, split),
    "food": lambda rng, split: _word("food", rng, split),
    "distance": _distance,
    "year": lambda rng, split: str(_integer(1400, 2099, rng, split)),
    "animal_species": lambda rng, split: _word("species", rng, split),
    "profession": lambda rng, split: _word("profession", rng, split),
    "hex": _hex,
    "count": _count,
}
KINDS = SUBJECTS | VALUES

# Singular noun phrases by value kind, each fit to follow "the" or a possessive and to belong to any subject.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "number": _commas("""access code, locker number, serial number, pass number, vault combination, account number,
        badge number,
        case number, membership number, registration number, ticket number, invoice number, file number, extension number,
        policy number, entry code, safe combination, customs number, inventory number, magic number"""),
    "code": _commas("""reference code, call sign, catalogue code, permit code, shelf mark, booking reference,
        tracking code,
        clearance code, tag, docket code, voucher code, licence code"""),
    "word": _commas("password, keyword, code word, watchword, secret word, countersign, recovery word, safe word"),
    "phrase": _commas("passphrase, code phrase, secret phrase, recovery phrase, challenge phrase, call phrase"),
    "person": _commas("""guardian, chief engineer, sponsor, patron, emergency contact, legal representative, trustee,
        caretaker,
        auditor, official photographer, biographer, principal donor"""),
    "place": _commas("""current location, next destination, place of registration, mailing address, winter base, last
        known
        location, place of origin"""),
    "spot": _commas("""hiding place, usual place, last known position, appointed place, storage place, resting place, place of
        safekeeping"""),
    "date": _commas("""registration date, inspection date, renewal date, hearing date, review date, insurance expiry date,
        date of first mention"""),
    "time": _commas("check-in time, appointment time, briefing time, delivery slot, inspection time, collection time"),
    "price": _commas(
        "annual fee, outstanding balance, deposit, insurance premium, registration fee, yearly grant, unpaid bill"
    ),
    "colour": _commas("label colour, signal colour, assigned colour, file colour, flag colour, seal colour"),
    "material": _commas("nameplate material, plaque material, trophy material, badge material, key fob material"),
    "food": _commas("signature dish, commemorative dish, agreed lunch, catering choice, sponsored dish"),
    "distance": _commas(
        "distance to the depot, distance from the border, delivery distance, signal range, exclusion radius"
    ),
    "year": _commas("year of registration, year of first record, year of the audit, licence year, anniversary year"),
    "animal_species": _commas("mascot species, emblem animal, heraldic animal, sponsored species, crest animal"),
    "profession": _commas(
        "main sponsor's profession, guarantor's occupation, chief witness's trade, donor's line of work"
    ),
    "hex": _commas(
        "checksum, session token, trace identifier, device identifier, hash prefix, build hash, key fingerprint"
    ),
    "count": _commas("spare key count, crate count, number of votes, seat allotment, guest count, ticket quota"),
}
# Those that only a person or an animal can have.
LIVING_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "person": ("godparent", "closest friend", "physician"),
    "place": ("birthplace", "childhood home", "summer residence"),
    "date": ("date of birth", "date of arrival"),
    "time": ("usual bedtime", "breakfast time"),
    "colour": ("favourite colour", "bedroom colour"),
    "food": ("favourite dish", "usual supper"),
    "year": ("birth year",),
    "animal_species": ("favourite animal",),
}
_LIVING = ("person", "animal")


def draw(kind: str, rng: Random, split: str) -> str:
    """One string of a kind in ``SUBJECTS`` or ``VALUES``, from the words of one split, "train" or "heldout"."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: draw one of {', '.join(KINDS)}")
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: draw from one of {', '.join(SPLITS)}")
    return KINDS[kind](rng, split)


def attribute(value_kind: str, rng: Random, subject_kind: str = "") -> str:
    """A noun phrase for a value of this kind. A subject of kind person or animal may be given some that others may not."""
    if value_kind not in ATTRIBUTES:
        raise ValueError(f"unknown kind of value {value_kind!r}: take one of {', '.join(ATTRIBUTES)}")
    choices = ATTRIBUTES[value_kind]
    if subject_kind in _LIVING:
        choices += LIVING_ATTRIBUTES.get(value_kind, ())
    return rng.choice(choices)
