"""A shop's tools as a Model Context Protocol server: over standard streams, or over HTTP with `--http PORT`.

pip install mcp, and in trunkline.toml:

    [mcp.shop]
    command = ["python3", "mcp_server.py"]
"""

import sys

from mcp.server.mcpserver import MCPServer

ORDERS = {7: "on its way", 8: "waiting for you in the shop"}

server = MCPServer("shop")


@server.tool()
def order_status(number: int) -> str:
    """Where an order is, by the number on the receipt."""
    return f"order {number} is {ORDERS.get(number, 'not known here')}"


if __name__ == "__main__":
    if "--http" in sys.argv:
        server.run("streamable-http", port=int(sys.argv[-1]))
    else:
        server.run()
