"""Anthropic's own library for Python: anthropic_python.py stream|tools|images, with a task as JSON in TASK."""

import json
import os
import sys

from anthropic import Anthropic, beta_tool

task = json.loads(os.environ["TASK"])
client = Anthropic(base_url=task["url"], api_key=task["key"])
common = {"model": task["model"], "max_tokens": 1000}


def show(text):
    print(json.dumps(text), flush=True)


def stream():
    messages = [{"role": "user", "content": task["prompt"]}]
    with client.messages.stream(messages=messages, **common) as stream:
        for text in stream.text_stream:
            show(text)
        stream.get_final_message()


@beta_tool
def weather(city: str) -> str:
    """Tells the weather of a city.

    Args:
        city: Its name.
    """
    return task["weather"] if city == "Zürich" else "no such city: " + city


def tools():
    messages = [{"role": "user", "content": task["prompt"]}]
    runner = client.beta.messages.tool_runner(messages=messages, tools=[weather], **common)
    show("".join(block.text for block in runner.until_done().content if block.type == "text"))


def images():
    source = {"type": "base64", "media_type": "image/png", "data": task["picture"]}
    content = [{"type": "text", "text": task["prompt"]}, {"type": "image", "source": source}]
    answer = client.messages.create(messages=[{"role": "user", "content": content}], **common)
    show("".join(block.text for block in answer.content))


{"stream": stream, "tools": tools, "images": images}[sys.argv[1]]()
