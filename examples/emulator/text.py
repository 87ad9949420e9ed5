"""Texts somebody through a local Twilio and reads what they answer. Needs: pip install twilio"""
import json
import os
import re
import urllib.request

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

URL = os.environ.get("EMULATOR_URL", "http://127.0.0.1:8090")


class Local(TwilioHttpClient):
    def request(self, method, url, *args, **kwargs):
        return super().request(method, re.sub("^https://[^/]+", URL, url), *args, **kwargs)


account = json.load(urllib.request.urlopen(f"{URL}/emulator/v1/account"))
client = Client(account["account_sid"], account["auth_token"], http_client=Local())
sent = client.messages.create(to="+15550001111", from_=account["phone_number"], body="Table for two at seven?")
answer = {"from": "+15550001111", "body": "At eight, please"}
headers = {"Content-Type": "application/json"}
urllib.request.urlopen(urllib.request.Request(f"{URL}/emulator/v1/messages", json.dumps(answer).encode(), headers))
for message in reversed(client.messages.list(limit=20)):
    print(message.direction, message.status, message.body)
