"""A shop's tools as a Model Context Protocol server, over standard streams.

    pip install mcp
    # trunkline.toml:
    #   [mcp.shop]
    #   command = ["python3", "examples/tools/mcp_server.py"]
"""

from mcp.server.mcpserver import MCPServer

ORDERS = {7: "on its way", 8: "waiting for you in the shop"}

server = MCPServer("shop")


@server.tool()
def order_status(number: int) -> str:
    """Where an order is, by the number on the receipt."""
    if number not in ORDERS:
        raise ValueError(f"there is no order {number}")
    return f"order {number} is {ORDERS[number]}"


if __name__ == "__main__":
    server.run()
