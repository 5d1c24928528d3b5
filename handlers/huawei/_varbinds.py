"""Variable bindings of a Huawei notification.

Between 2009 and 2022 those of the IPsec notifications were added, moved and changed from IpAddress to text (revision
clauses of HUAWEI-SECURITY-IPSEC-MIB).
"""

from handlers._common.varbinds import Value, Varbinds
from handlers.huawei._tables import TABLES, ObjectType

#: hwIPSecTrapAuthenticationMethod (text) was hwIPSecNegoFailReason (Gauge32) in 2009.
AUTH_METHOD = "auth_method"


class HuaweiVarbinds(Varbinds):
    """Knows the one object that changed its meaning."""

    def field_of(self, row: ObjectType, value: Value) -> str | None:
        """As the table says, except for `AUTH_METHOD`."""
        if row.field == AUTH_METHOD:
            return "code" if isinstance(value, int) else None
        return row.field


VARBINDS = HuaweiVarbinds(TABLES)
locate, typed = VARBINDS.locate, VARBINDS.typed
