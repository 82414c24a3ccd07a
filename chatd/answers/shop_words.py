"""The words of the sample shop: what it sells, who makes it, who buys it."""

from typing import Final

SUPPLIERS: Final = (
    ("Nordlicht Keramik", "Germany", 4.7),
    ("Atelier Lumière", "France", 4.4),
    ("Holzwerk Allgäu", "Germany", 4.9),
    ("Telas del Sur", "Spain", 4.2),
    ("Papierfabrik Steinach", "Austria", 4.6),
    ("Łódzki Len", "Poland", 4.1),
    ("Cooper & Sons", "United Kingdom", 3.8),
    ("Orto e Terra", "Italy", None),
)
"""Name, country, rating of 1 to 5 (None: not rated yet). Numbered from 1, as all here."""

KITCHEN, LIGHTING, FURNITURE = "Kitchen", "Lighting", "Furniture"
TEXTILES, STATIONERY, GARDEN = "Textiles", "Stationery", "Garden"

_ASSORTMENT: Final = {
    (KITCHEN, 1): "Teapot 34.50, Espresso cup 9.25, Coffee mug 12.50, Cereal bowl 14.75, "
    "Dinner plate 18.00, Serving dish 42.00, Butter dish 21.50, Milk jug 16.75, Egg cup 6.50",
    (KITCHEN, 7): "Bread knife 39.00, Cheese board 27.50, Pepper mill 31.25, Cast iron pan 84.00, "
    "Paring knife 17.75, Measuring jug 13.25",
    (LIGHTING, 2): "Desk lamp 79.50, Floor lamp 189.00, Table lamp 95.00, Pendant lamp 124.50, "
    "Reading light 46.75, Lantern 29.50, Wall lamp 68.25, Candle holder 15.50",
    (FURNITURE, 3): "Oak bookcase 489.00, Oak shelf 119.00, Bedside table 149.50, Stool 89.00, "
    "Dining chair 169.00, Coffee table 259.00, Writing desk 529.00, Coat rack 74.50, "
    "Wall mirror 98.00, Magazine rack 45.25",
    (TEXTILES, 4): "Cushion cover 19.50, Table runner 24.75, Tablecloth 49.00, Floor rug 214.50, "
    "Kitchen apron 28.25, Throw 64.50",
    (
        TEXTILES,
        6,
    ): "Linen towel 16.25, Bed linen set 129.00, Napkin set 22.50, Wool blanket 109.50, "
    "Curtain 58.75",
    (STATIONERY, 5): "Notebook 8.75, Sketchbook 13.50, Letter paper 11.25, Wall calendar 17.00, "
    "Fountain pen 38.50, Pencil set 9.50, Gift wrap 4.25, Photo album 26.00",
    (GARDEN, 8): "Garden chair 134.00, Plant pot 23.25, Watering can 32.50, Bird feeder 27.00, "
    "Herb planter 36.75, Garden table 279.00, Seed box 19.25, Outdoor candle 12.25",
}


def _assortment() -> tuple[tuple[str, str, int, int], ...]:
    found = []
    for (category, supplier), goods in _ASSORTMENT.items():
        for one in goods.split(", "):
            name, _, price = one.rpartition(" ")
            found.append((name, category, supplier, round(float(price) * 4)))
    return tuple(found)


PRODUCTS: Final = _assortment()
"""Name, category, number of the supplier, price in quarters of a euro."""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


PLACES: Final = (
    ("Germany", _listed("Berlin, Hamburg, Munich, Cologne, Leipzig, Freiburg")),
    ("France", _listed("Paris, Lyon, Nantes, Strasbourg")),
    ("Poland", _listed("Warsaw, Kraków, Gdańsk")),
    ("Austria", _listed("Vienna, Graz")),
    ("Spain", _listed("Madrid, Valencia, Sevilla")),
    ("United Kingdom", _listed("London, Leeds, Edinburgh")),
)
"""The countries where customers live, the home market first, and cities in each."""

GIVEN_NAMES: Final = {
    "Germany": _listed(
        "Anna, Lukas, Jürgen, Katrin, Mehmet, Sophie, Björn, Emre, Greta, Felix, Ayşe, Jonas, Lena"
    ),
    "France": _listed("Camille, Hugo, Zoé, François, Inès, Mathieu, Chloé, Youssef"),
    "Poland": _listed("Łukasz, Agnieszka, Piotr, Małgorzata, Jakub, Zofia"),
    "Austria": _listed("Magdalena, Florian, Johanna, Sebastian, Theresa, David, Eva"),
    "Spain": _listed("José, Lucía, Álvaro, Carmen, Iñigo, Marta"),
    "United Kingdom": _listed("Oliver, Priya, Siobhan, James, Ngozi, Charlotte"),
}
FAMILY_NAMES: Final = {
    "Germany": _listed(
        "Schneider, Müller, Yılmaz, Hoffmann, Weiß, Krüger, Becker, Öztürk, Vogel, Neumann, "
        "Jansen, Wolf"
    ),
    "France": _listed("Lefèvre, Moreau, Dubois, Benali, Girard, Rousseau, Petit"),
    "Poland": _listed("Nowak, Wójcik, Mazur, Zając, Kowalczyk"),
    "Austria": _listed("Gruber, Huber, Steiner, Wimmer, Pichler, Eder"),
    "Spain": _listed("García, Muñoz, Ortega, Iglesias, Romero"),
    "United Kingdom": _listed("O'Brien, Patel, Okafor, Smith, Campbell"),
}
METHODS: Final = ("card", "card", "card", "transfer", "invoice")
