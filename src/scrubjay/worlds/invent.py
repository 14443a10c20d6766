"""Material for invented words: syllables by culture, endings by kind of thing, words that stay.

The syllables are common pieces of European, Asian, African and Pacific names, so that compounds sound
like names of that culture and cost a language model few tokens. All choices here are ours.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

from scrubjay.core.randomness import derive


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


FUNCTION = _set(
    "a al an and at by d da das de del della der des di die do dos du e el et for from i ii in it l la"
    " las le les los n o of on or s t the to un und une van von with y"
)
"""Words that only hold a name together."""
DIRECTIONS = _set(
    "north south east west northern southern eastern western northeast northwest southeast southwest "
    "central middle upper lower great greater lesser inner outer new old big little high low"
)
TYPE_WORDS = _set(
    "academy administrative affair agency airport archipelago area art arts association authority "
    "autonomous award bank basin battle bay beach book books bridge canal canton cape capital castle "
    "cathedral center centre channel church city coast college colony commonwealth communauté commune "
    "company confederation congress convertible cooperative corporation council country county court "
    "crown cup democratic department dependency desert dinar dirham district dollar dynasty emirate "
    "empire fair falls federal federated federation festival field film forest foundation franc "
    "gallery garden governorate group gulf harbor harbour high hill hills historical history hospital "
    "heavy house inc institute international island islands isle isles joint kingdom krona krone laboratory "
    "lake language "
    "law league library lira lord ltd magazine management metropolitan minister ministry mount mountain "
    "mountains municipality museum music nation national nuclear ocean office oblast okrug order orchestra "
    "palace parish park party peak peninsula people peoples peso philharmonic physics plateau point port pound "
    "prefecture president prince princess principality prize province public quarter raion range "
    "rayon region regional republic reserve rial research ridge river riyal road royal ruble rupee school "
    "science sciences sea series shilling sir society sound special sq square st state states station "
    "strait street studio sultanate technology territories territory theater theatre theory tower "
    "town treaty tribe union unit united university valley village voivodeship war zone"
)
"""Common nouns and adjectives that say of what type a thing is."""
PLACES = _set(
    "africa albania algeria america amsterdam angola ankara antarctica arabia argentina armenia asia "
    "athens atlanta australia austria baghdad bangkok barcelona beijing belgium berlin bolivia bombay "
    "boston brazil britain brussels budapest bulgaria burma cairo california cambodia cameroon canada "
    "canberra caracas chad chicago chile china colombia congo croatia cuba cyprus dakar dallas delhi "
    "denmark denver detroit dubai dublin ecuador egypt england eritrea estonia ethiopia europe fiji "
    "finland florida france gabon gambia georgia germany ghana greece guinea haiti havana hawaii "
    "holland honduras houston hungary iceland india iran iraq ireland israel istanbul italy jakarta "
    "jamaica japan java jordan kabul kenya kiev korea kuwait lagos laos latvia lebanon liberia libya "
    "lima lisbon london london luxembourg lyon madrid malaysia mali malta manila mecca melbourne "
    "mexico miami milan moldova monaco montreal morocco moscow mumbai munich nairobi naples nepal "
    "niger nigeria norway oman osaka oslo ottawa oxford pakistan palestine panama paris persia perth "
    "peru poland portugal prague qatar quebec rome romania russia rwanda samoa scotland seattle seoul "
    "serbia shanghai siberia singapore somalia spain stockholm sudan sweden switzerland sydney syria "
    "taiwan tanzania tehran texas thailand tibet togo tokyo tonga toronto tunis turkey uganda ukraine "
    "uruguay venezuela venice vienna vietnam wales warsaw washington yemen zambia zimbabwe zurich "
    "hamas nazi isis kosovo arizona ontario dover derby bristol java sumatra borneo balkan slavia sahara andes"
)
"""Well-known real places that an invented name must not hit by chance, whatever the universe."""

CULTURES = {
    "english": "Al Ash Bar Bel Black Brad Bram Bren Cal Carl Chel Clay Corn Dal Dar Del Earl Ed Fair"
    " Farn Gar Glen Hal Har Hart Hol Kel Ken Kings Lang Len Mar Mel Mil Nor Ox Pen Red Rich Ros Shel "
    "Stan Stock Tar Thorn Tor Wake Wal War Wes Whit Wil Win Wood",
    "romance": "Al Am An Ar Bar Bel Ben Bor Cal Cam Car Cas Cor Dor El Fer Flor Gal Gar Gran Her Lam "
    "Lor Luc Mal Man Mar Mer Mon Mor Nav Oliv Pal Per Pont Riv Ros Sal Ser Tor Val Ver Vil Vin",
    "germanic": "Ad Al Alt Ans Arn Bern Brand Burg Diet Eber Eich Eis Eng Erl Falk Frank Fried Gott "
    "Gud Hag Hal Ham Hein Her Hild Hol Kar Kron Land Lind Mann Nord Ost Rein Rot Sand Sig Stein Ul "
    "Wald Wein Wolf",
    "slavic": "Bel Bog Bor Bra Dob Dra Gor Gra Kam Kos Kra Lub Mil Mir Mos Nov Ost Pet Pol Rad Rus "
    "Stan Stav Sto Tur Vel Vlad Vol Yar Zab Zel",
    "arabic": "Ab Am Bas Dam Dar Far Faw Had Hal Ham Has Jab Jal Kar Khal Mah Mas Naj Nas Qas Rah "
    "Ras Sab Sal Sam Shar Sul Tar Wad Yas Zah Zay",
    "turkic": "Ak Al Ar Ash Bak Bal Dem Er Far Gul Kar Kash Kaz Kon Kur Mar Mur Nam Or Sam San Sar "
    "Shir Tab Tash Tem Tur Yil Zar",
    "indic": "Am Anand Ban Bhar Chand Dev Dhar Gan Gop Har Jag Jai Kal Kam Kan Kar Lak Mad Mal Man "
    "Nag Nar Prab Raj Ram Rav Sar Shan Shiv Sur Var Vij Vis",
    "sinitic": "Bao Chang Chen Dong Fang Feng Guan Hai Han Heng Hong Jian Jin Kai Lan Lin Long Mei "
    "Nan Ning Qing Rong Shan Shen Song Tai Tian Wei Wen Xin Yan Yang Ying Yong Zhen Zhong",
    "japanese": "Aka Ama Furu Hama Hara Hira Ichi Iwa Kama Kawa Kita Kuma Matsu Miya Mori Mura Naga "
    "Naka Nishi Oka Saka Shima Shin Taka Tani Tera Tomi Toyo Yama Yoko Yoshi",
    "african": "Aba Ade Ban Bo Bu Chi Dan Dji Dou Gan Kam Kan Kib Kin Kum Lem Lu Mak Mal Mban Mon "
    "Mum Nam Ndo Ngo Nia Oba Ogu Oko Sab Ser Tam Tan Wan Yam Zan Zim",
    "malay": "Ban Bat Ben Bin Dum Gar Jam Kal Kam Kar Kel Lam Lam Mak Mal Man Med Men Pad Pal Pan Pek "
    "Pon Sam Sar Sem Ser Sul Sum Tan Teb Ter",
    "pacific": "Ai Apo Fale Hana Hau Kai Kala Kau Lau Leva Loa Mahi Mana Moa Nau Niu Nuku Pago Palo "
    "Rano Rau Tala Tama Tau Tofu Tua Vai Vana Wai",
}
"""First syllables by culture."""
MIDDLES = {
    "english": "er en ing le ar",
    "romance": "a e i an en ar al in or",
    "germanic": "e en er el in",
    "slavic": "o i an en in ov",
    "arabic": "a i u ar al an",
    "turkic": "a i ar an en il",
    "indic": "a i an ar en it",
    "sinitic": "an en in",
    "japanese": "ga ka ma na no ri shi ta wa",
    "african": "a o i ba ka li mo na du",
    "malay": "a e i an ang ar",
    "pacific": "fa ka la li ma na ro ta",
}
TOWNS = {
    "english": "bridge brook burn bury by dale field ford gate ham haven hurst land leigh ley low mere"
    " minster mont mouth port stead stone ton vale ville wall well wick wood worth",
    "romance": "ada ado al alba ana anza aro as ella ena enza era essa eta ia illa ina ino ola ona "
    "ora osa ova uela",
    "germanic": "ach au bach berg born bruck burg dorf feld furt hafen hausen heim hof ingen lin "
    "marck rode stadt stedt stein tal walde",
    "slavic": "any ava grad ica in insk ino itsa nica nik no ov ova ovice ovo sk sko tin",
    "arabic": "a abad ad ah aq ar eb id ida in ira is it iya oun ra um ut",
    "turkic": "abad agan an ay bek bul dag gan hisar iz kale kan kent koy pazar tepe".replace(
        "ö", "o"
    ),
    "indic": "abad apur ara bad eri garh gaon i ia kota nagar ore palli pet pur tala ur wal",
    "sinitic": "an bei cheng chuan dong fu gang guan hai he jiang jing kou li lin ning ping shan "
    "shui tou xi yang yuan zhou",
    "japanese": "be da do hara hashi kawa ki ku machi mi moto mura nami no saki shima ta to ura ya "
    "yama zawa",
    "african": "amba anda ara ba bara bwe dou e eke esa ga ia issa ko koro la mba nda nga ra ro sha "
    "so u wa ya za",
    "malay": "ai ak an ang ar as at au awa bang gar ing kal kit lang long ok pang ra tar ung ura",
    "pacific": "aki ala alofa ana ata ava eke iki ilo iva lei loa nga nui olo ori pu roa ta ua ulu",
}
"""Endings of towns and other small places."""
FAMILIES = {
    "english": "ard by der ell er ers field ford ing kins land ley low man mer ner ow s son ston ton "
    "ward well wood worth",
    "romance": "ado ante ardi as eiro elli ero es et eux ez ini ino oni osa otti ova",
    "germanic": "auer bach berg dorf er feld ke ler lich mann meier ner sen stein strom sson ung "
    "wig",
    "slavic": "ak chuk enko ev ic ich in ka ko nik ov ova ow ski sky",
    "arabic": "ani ari awi di ee i ir oud our ri wan",
    "turkic": "an bay bek er gul in li lu oglu ov soy",
    "indic": "am an ani ar esh i kar ran rao raj ta wal wani",
    "sinitic": "g n ng o u a i",
    "japanese": "da gawa hara i kawa ki mi moto mura no saki ta to ya yama zaki",
    "african": "a beki bo du e eke ele gi ke le lu mbe ndi o we ye",
    "malay": "adi anto awan i o ono wan wati ya",
    "pacific": "ala ana eka ino iti oa olo tu",
}
KINDS = {
    "country": "ia ania ora avia istan land onia aria esia and enia ador",
    "language": "ish ese ic ian i ani ari uri an ench",
    "river": "a ar e er esk is une ow ara enza in",
    "element": "ium um on ine en inium onium ide",
    "currency": "a ar en et in o on or and ing",
    "given": "a an as e el en ia ie in is o on us y",
    "other": "a al an ar el en er ex ia ic in is on or os um ette",
}
"""Endings by kind of thing, in any culture; towns and families have their own above."""
GIVEN = (
    "Abel Ada Agnes Alan Albert Alice Alma Andre Anton Arthur Barbara Basil Bella Bernard Boris Bruno "
    "Carla Carlo Cecil Celia Clara Claude Conrad Daniel Dario Denis Diana Edgar Edith Edmund Edwin "
    "Elena Elias Ella Emil Emma Enid Eric Ernst Esther Eva Felix Flora Frank Fritz Gerald Gideon "
    "Gilbert Greta Gustav Hannah Harold Hector Helena Herman Hilda Hugo Ida Igor Irene Iris Ivan Jonas "
    "Judith Julian Karin Karl Klaus Lara Laura Leo Leonard Leopold Lena Linda Lorenz Lucia Ludwig Luis "
    "Magda Marcus Marta Martha Matilda Max Mina Mira Miriam Moritz Nadia Nora Oliver Olga Oscar Oswald "
    "Otto Pablo Paula Pedro Petra Philip Ralph Ramon Raymond Rita Robert Roland Rosa Rudolf Rufus Ruth "
    "Samuel Sandra Sara Silvia Simon Sofia Stefan Stella Tamara Teresa Theo Tobias Ursula Vera Victor "
    "Walter Werner Xavier Yvonne"
)
"""Given names of the English-speaking and European world; other cultures make theirs of syllables."""
SHORT = [
    "Aene",
    "Alber",
    "Antar",
    "Bac",
    "Bam",
    "Barr",
    "Barth",
    "Bart",
    "Benn",
    "Boh",
    "Bram",
    "Bren",
    "Brun",
    "Bry",
    "Buk",
    "Burr",
    "Caled",
    "Carm",
    "Carth",
    "Casp",
    "Chand",
    "Chatt",
    "Chau",
    "Corb",
    "Coss",
    "Coul",
    "Cron",
    "Cull",
    "Dahl",
    "Dav",
    "Debor",
    "Dere",
    "Dul",
    "Dunn",
    "Edd",
    "Ehr",
    "Elis",
    "Ephes",
    "Falk",
    "Fau",
    "Ferr",
    "Flem",
    "Flore",
    "Fors",
    "Freem",
    "Gand",
    "Ganes",
    "Gert",
    "Gol",
    "Gonz",
    "Gott",
    "Guill",
    "Gur",
    "Hag",
    "Hann",
    "Harr",
    "Hask",
    "Hein",
    "Hellen",
    "Herz",
    "Hild",
    "Hod",
    "Holt",
    "Hud",
    "Huff",
    "Humph",
    "Huss",
    "Hutch",
    "Ishma",
    "Jacqu",
    "Jak",
    "Jenn",
    "Jere",
    "Judah",
    "Kad",
    "Kak",
    "Kamp",
    "Kand",
    "Kap",
    "Karn",
    "Kau",
    "Kell",
    "Keyn",
    "Kimber",
    "Kipp",
    "Kle",
    "Kol",
    "Kolk",
    "Kot",
    "Krak",
    "Kre",
    "Kru",
    "Kub",
    "Kul",
    "Kum",
    "Lank",
    "Laur",
    "Lind",
    "Linn",
    "Lipp",
    "Loren",
    "Lub",
    "Luft",
    "Luk",
    "Lund",
    "Maas",
    "Macc",
    "Mahar",
    "Mak",
    "Manit",
    "Mard",
    "Marl",
    "Marm",
    "Mellon",
    "Mennon",
    "Merr",
    "Mik",
    "Miz",
    "Mog",
    "Mord",
    "Moy",
    "Moz",
    "Muir",
    "Muk",
    "Nad",
    "Nak",
    "Niel",
    "Nord",
    "Olm",
    "Osw",
    "Panch",
    "Parth",
    "Pash",
    "Phill",
    "Pok",
    "Pras",
    "Rajas",
    "Raman",
    "Reyn",
    "Rhe",
    "Roh",
    "Rosen",
    "Rosh",
    "Sach",
    "Sak",
    "Samar",
    "Saras",
    "Sart",
    "Sass",
    "Schne",
    "Schul",
    "Schwe",
    "Scul",
    "Sear",
    "Serge",
    "Shab",
    "Shan",
    "Shang",
    "Shir",
    "Shor",
    "Sidd",
    "Siddh",
    "Siem",
    "Sob",
    "Somers",
    "Stev",
    "Suz",
    "Tak",
    "Tasman",
    "Tate",
    "Theod",
    "Thess",
    "Tik",
    "Tir",
    "Trent",
    "Tuls",
    "Uttar",
    "Vall",
    "Vand",
    "Vander",
    "Vaugh",
    "Vij",
    "Vish",
    "Wak",
    "Wein",
    "Wend",
    "Wille",
    "Winn",
    "Witt",
    "Yesh",
    "Yor",
    "Yosh",
    "Zak",
    "Zam",
    "Zimmer",
    "Zoro",
    "Zur",
    "Abbott",
    "Barrett",
    "Bennett",
    "Bradley",
    "Bryant",
    "Calhoun",
    "Carroll",
    "Clayton",
    "Clement",
    "Cochrane",
    "Coleman",
    "Collier",
    "Crawford",
    "Cushing",
    "Fletcher",
    "Forrest",
    "Fowler",
    "Fraser",
    "Goddard",
    "Gould",
    "Graham",
    "Griffin",
    "Griffith",
    "Hancock",
    "Harding",
    "Harper",
    "Houghton",
    "Huxley",
    "Irving",
    "Lambert",
    "Leopold",
    "Lowell",
    "Ludwig",
    "Malcolm",
    "Maxwell",
    "Mitchell",
    "Morris",
    "Morrison",
    "Nielsen",
    "Norris",
    "Palmer",
    "Parker",
    "Pascal",
    "Perkins",
    "Pierce",
    "Pratt",
    "Putnam",
    "Quincy",
    "Quinn",
    "Randall",
    "Randolph",
    "Reynolds",
    "Roland",
    "Rutgers",
    "Saunders",
    "Schwarz",
    "Seymour",
    "Sinclair",
    "Spencer",
    "Stewart",
    "Stuart",
    "Sullivan",
    "Sutton",
    "Thatcher",
    "Tucker",
    "Tudor",
    "Turner",
    "Vernon",
    "Wagner",
    "Walton",
    "Warner",
    "Weaver",
    "Whitman",
    "Wilkins",
    "Winston",
    "Woodrow",
    "Blackwell",
    "Dickinson",
    "Ferdinand",
    "Henderson",
    "Mackenzie",
    "Macmillan",
    "Patterson",
    "Stevenson",
    "Wilkinson",
    "Cunningham",
    "Fitzgerald",
    "Hutchinson",
    "Vanderbilt",
    "Williamson",
]
"""Words that cost common tokenizers one token though they name nothing much: for types whose real
names are as cheap. Matching lengths would be impossible without them."""

_ALIASES = {
    "english": "anglo british american western",
    "romance": "latin french spanish portuguese italian hispanic iberian greek",
    "germanic": "german nordic scandinavian dutch norse",
    "slavic": "russian polish baltic balkan eastern",
    "arabic": "semitic hebrew berber middle-eastern",
    "turkic": "turkish persian iranian central-asian caucasian",
    "indic": "indian hindi south-asian dravidian",
    "sinitic": "chinese korean vietnamese east-asian",
    "african": "bantu swahili",
    "malay": "indonesian filipino austronesian thai southeast-asian",
    "pacific": "polynesian oceanian oceanic melanesian",
}
_KNOWN = {alias: culture for culture, text in _ALIASES.items() for alias in text.split()}

_TYPES = (
    ("given", "person human people scientist author politician artist king queen man woman"),
    ("city", "city town village capital settlement municipality"),
    ("country", "country nation continent state kingdom"),
    ("place", "subdivision province region island district county place park mountain lake"),
    ("language", "language dialect ethnic"),
    ("currency", "currency money"),
    ("element", "element chemical compound drug medicine mineral"),
    ("river", "river stream"),
)


def culture_of(culture: str) -> str:
    """One of ``CULTURES`` for any label; unknown labels get one of them, always the same."""
    label = culture.lower().replace("_", "-")
    if label in CULTURES:
        return label
    known = list(CULTURES)
    return _KNOWN.get(label) or known[derive(0, "culture", label) % len(known)]


@lru_cache(maxsize=4096)
def kind_of(type: str, last: bool = False) -> str:
    """What kind of word a name of this type is made of; ``last``: the last of several words."""
    words = type.lower().replace("_", " ").replace("-", " ").split()
    for kind, known in _TYPES:
        if any(word in known.split() for word in words):
            return "family" if kind == "given" and last else kind
    return "other"


def draft(kind: str, culture: str, length: int, rng: Random) -> str:
    """A word of about ``length`` letters, capitalised; not checked against anything."""
    culture = culture_of(culture)
    if kind == "given" and culture in ("english", "romance", "germanic") and rng.random() < 0.4:
        return rng.choice(GIVEN.split())
    starts, middles = CULTURES[culture].split(), MIDDLES[culture].split()
    if kind in ("city", "place"):
        ends = TOWNS[culture].split()
    elif kind == "family":
        ends = FAMILIES[culture].split()
    else:
        ends = KINDS[kind].split()
    word, end = rng.choice(starts), rng.choice(ends)
    while len(word) + len(end) < length - 1:
        word = _joined(word, rng.choice(middles if rng.random() < 0.6 else starts))
    return (_joined(word, end) if len(word) + 2 <= length else word).capitalize()


def _joined(left: str, right: str) -> str:
    """Two pieces without a doubled vowel or a tripled letter at the seam."""
    right = right.lower()
    if left[-1] in "aeiou" and right[0] in "aeiou" and len(left) > 2:
        left = left[:-1]
    return left + (right[1:] if left[-1:] == right[0] and len(right) > 2 else right)
