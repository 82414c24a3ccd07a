"""The tools over MCP, with the official SDK on stdio (`contract` has the wire).

It uses the SDK's low-level server, not `MCPServer`: so errors have a code, we take the arguments
apart ourselves, and rows are not copied through models.
"""

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import mcp_types
import orjson
import trio
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server

from chatd import __version__
from chatd.answers.mcp.contract import Field, Tool
from chatd.answers.requests import DatabaseFailed
from chatd.counts import counted
from chatd.db_mcp.arguments import WrongArgument, input_schema, read_arguments
from chatd.db_mcp.calls import Answer, Calls, Send
from chatd.db_mcp.stdio import standard_streams
from chatd.observe import InternalError, StreamLog, bridge, open_log
from chatd.wire.codes import EXPLANATIONS, Code

END_S = 0.8
"""How long the process may take to end when its client is gone, whatever still runs."""
TEXT_BYTES_MAX = 65_536
"""A result of at most this size also stands in the text, for clients that do not read structured
content."""

_DESCRIPTIONS: Mapping[Tool, str] = {
    Tool.LIST_TABLES: "The tables and views of the database.",
    Tool.LIST_COLUMNS: "The columns of all tables and views, each with its table.",
    Tool.DESCRIBE_TABLE: "The columns of a table or view.",
    Tool.SAMPLE_TABLE: "Some rows of a table or view.",
    Tool.QUERY: "The rows of one statement. It may only read, unless writes were allowed.",
    Tool.EXPLAIN: "How the database would carry out a statement; nothing runs.",
}


def serve(answer: Answer) -> None:
    """Answer one client on standard input and output until it is gone, or a signal comes."""
    log = open_log("auto", "error", sys.stderr, sys.stderr.isatty())
    with bridge(log):
        trio.run(_serve, answer, log)


async def _serve(answer: Answer, log: StreamLog) -> None:
    is_ending = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_in_time, is_ending)
        with trio.CancelScope() as serving:
            nursery.start_soon(_heed_signals, serving, is_ending)
            async with standard_streams(is_ending) as (inward, outward):
                server = build_server(Calls(answer), log)
                await server.run(inward, outward, server.create_initialization_options())
        nursery.cancel_scope.cancel()


async def _heed_signals(serving: trio.CancelScope, is_ending: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            is_ending.set()
            serving.cancel()


async def _end_in_time(is_ending: trio.Event) -> None:
    await is_ending.wait()
    await trio.sleep(END_S)
    # Something does not heed its interrupt. Nobody waits for it, and a database can be left like
    # this at any time.
    os._exit(0)


def build_server(calls: Calls, log: StreamLog) -> Server[Any]:
    """The MCP server with its tools."""

    async def list_tools(
        context: ServerRequestContext[Any, Any], params: mcp_types.PaginatedRequestParams | None
    ) -> mcp_types.ListToolsResult:
        return mcp_types.ListToolsResult(
            tools=[
                mcp_types.Tool(
                    name=tool, description=_DESCRIPTIONS[tool], input_schema=input_schema(tool)
                )
                for tool in Tool
            ]
        )

    async def call_tool(
        context: ServerRequestContext[Any, Any], params: mcp_types.CallToolRequestParams
    ) -> mcp_types.CallToolResult:
        send = _sender(context)
        try:
            tool = Tool(params.name)
            request, terms = read_arguments(tool, params.arguments or {}, send is not None)
        except WrongArgument as wrong:
            raise MCPError(code=mcp_types.INVALID_PARAMS, message=str(wrong)) from None
        except ValueError:
            sentence = "There is no tool of that name."
            raise MCPError(code=mcp_types.INVALID_PARAMS, message=sentence) from None
        try:
            result = await calls.call(request, terms, send)
        except DatabaseFailed as failure:
            return _error(failure.code, failure.sentence)
        except Exception as error:
            log.record(InternalError.of(f"db-mcp: {tool}", error))
            return _error(Code.DB_ERROR, EXPLANATIONS[Code.DB_ERROR].sentence)
        return mcp_types.CallToolResult(
            content=[mcp_types.TextContent(type="text", text=_as_text(result))],
            structured_content=result,
        )

    return Server(
        "chatd db-mcp", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool
    )


def _sender(context: ServerRequestContext[Any, Any]) -> Send | None:
    if context.meta is None or context.meta.get("progress_token") is None:
        return None

    async def send(progress: int, message: str) -> None:
        await context.session.report_progress(progress, message=message)

    return send


def _as_text(result: Mapping[str, Any]) -> str:
    text = orjson.dumps(result)
    if len(text) <= TEXT_BYTES_MAX:
        return text.decode()
    return f"{counted(result[Field.ROW_COUNT], 'row')}: see the structured content."


def _error(code: Code, sentence: str) -> mcp_types.CallToolResult:
    return mcp_types.CallToolResult(
        content=[mcp_types.TextContent(type="text", text=sentence)],
        structured_content={Field.CODE.value: code, Field.MESSAGE.value: sentence},
        is_error=True,
    )
