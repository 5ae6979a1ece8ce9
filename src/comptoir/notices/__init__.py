"""Notices out of the house: signed and posted to webhooks, or written as mail.

Adapters to the desk's notice port (`desk/notice_port.py`). They send what they are given to
where they are told, within a bounded time, and never to an address that only this machine or
its neighbours can reach; they remember nothing. Neighbours: `desk/notice_loop.py` decides what
is sent and when, `assembly.py` chooses the settings.
"""
