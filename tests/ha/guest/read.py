# SPDX-License-Identifier: GPL-2.0
"""read.py FIRST: prints "uid subject" of the mailbox's mails from that uid on, read by IMAP."""
import imaplib
import re
import sys

box = imaplib.IMAP4("10.77.1.100", 143, timeout=20)
box.login("box", "secret")
box.select("INBOX", readonly=True)
first = int(sys.argv[1])
status, answer = box.uid("FETCH", f"{first}:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
for part in answer:
    if isinstance(part, tuple):
        uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
        if uid >= first:
            print(uid, part[1].decode().split(":", 1)[1].strip())
