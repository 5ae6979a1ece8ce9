"""An operator sets what holds for the whole book."""

from comptoir.desk.requests import SetSetting
from comptoir.desk.settings import Setting, setting_kind
from comptoir.desk.transaction import Transaction
from comptoir.units.text import check_count


def set_setting(tx: Transaction, request: SetSetting) -> Setting:
    """Give a setting its value from now on.

    Raises:
        NotFound: `unknown_setting`.
        Invalid: `out_of_range`.
    """
    kind = setting_kind(request.name)
    check_count(request.name, request.value, kind.smallest, kind.largest)
    tx.book.queue_tried_at = -1  # who waited may fit now
    tx.emit("setting.set", request.name, None, value=request.value)
    return tx.book.settings.put(Setting(request.name, request.value))
