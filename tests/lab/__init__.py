"""The laboratory: real servers, private to one test.

    with Lab() as lab:
        redis = Redis(lab)
        ...

Every server lives in the lab's own directory, listens on 127.0.0.1 or on a Unix
socket there, is remembered by its pid and stopped by it. Nothing of the system's
own Postfix, Dovecot or Redis is used or touched. Python's standard library only.
"""

from .core import BUILD, TOP, Failure, Lab, Process, wait_for
from .case import FULL, LabCase
from .clients import Policy, Socketmap, TcpTable
from .dovecot import Dovecot
from .mail import Message, Sink, imap_list, imap_wait, smtp_send
from .policyd import Policyd, splitmx
from .network import Network, needs_networks
from .postfix import Postfix
from .redis import Redis
from .redis_group import RedisGroup
from .house import House
