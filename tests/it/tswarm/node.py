"""A Tswarm node of today, for MicroPython's own HTTP library: for each reading that it is given it wakes once, uploads,
and sleeps again, as the protocol page describes the original.

    micropython node.py config.json "23 45" "24 45"

Like the original it catches nothing, and neither reads an answer's body nor closes the connection.
"""

import json
import sys

import requests


def upload(server, data):
    """PUT, after 405 the same as POST. Says what the node made of the answer."""
    body = '{"name":"%s","data":"%s"}' % (server["login"], data)
    headers = {"authorization": " Basic " + server["xauth"], "content-type": "application/json"}
    answer = requests.put(server["url"], data=body, headers=headers)
    if answer.status_code == 202:
        return "updated"
    if answer.status_code == 423:
        return "stopped"
    if answer.status_code == 405:
        answer = requests.post(server["url"], data=body, headers=headers)
        return "created" if answer.status_code == 202 else "error %d" % answer.status_code
    return "ignored %d" % answer.status_code


def main():
    with open(sys.argv[1]) as file:
        server = json.load(file)["svconf"]
    for data in sys.argv[2:]:
        became = upload(server, data)
        print(became)
        if became == "stopped":
            print("awake")
            return
        print("asleep")


main()
