# SPDX-License-Identifier: GPL-2.0
"""send.py RUN: sends numbered mails without pause, and notes each that the server took: milliseconds, number."""
import os
import smtplib
import sys
import time

HOST = "10.77.1.100"
run = sys.argv[1]
number = 0
with open("/tmp/send.pid", "w") as pid:
    pid.write(str(os.getpid()))
with open("/tmp/accepted", "a", buffering=1) as accepted:
    while True:
        try:
            with smtplib.SMTP(HOST, 25, local_hostname="client", timeout=4) as server:
                while True:
                    number += 1
                    text = f"Subject: {run}-{number}\r\n\r\nMail {number}.\r\n" + "x" * 2000 + "\r\n"
                    server.sendmail("client@client.example", "box@ha.example", text)
                    accepted.write(f"{int(time.time() * 1000)} {number}\n")
                    time.sleep(0.1)
        except (OSError, smtplib.SMTPException) as error:
            print(f"{time.time():.3f} {number} {error!r}", flush=True)
            time.sleep(0.2)
