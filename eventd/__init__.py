"""eventd: why each IPsec tunnel went down, from the syslogs and traps of Huawei and H3C firewalls."""

__version__ = "0.1.0"
