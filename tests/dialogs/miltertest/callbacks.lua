-- callbacks.lua - every step of a message, and every place to leave it, as miltertest says them
--
-- socket: where splitmx-milter listens. miltertest negotiates by itself.

local function must(what, ok)
	if not ok then
		mt.echo("failed: " .. what)
		error(what)
	end
end

-- a step that the milter has switched off, which miltertest then refuses to send
local function is_off(step, what, ...)
	local ok, why = pcall(step, ...)
	must(what .. " is switched off", not ok and string.find(why, "negotiated SMFIP_NO" .. what, 1, true))
end

local function open()
	local conn = mt.connect(socket, 40, 0.05)
	must("connect", conn ~= nil)
	is_off(mt.conninfo, "CONNECT", conn, "client.lab.invalid", "192.0.2.7")
	is_off(mt.helo, "HELO", conn, "client.lab.invalid")
	return conn
end

local function mail(conn)
	mt.macro(conn, SMFIC_MAIL, "i", "4fXYZ")
	must("MAIL", mt.mailfrom(conn, "<someone@foreign.invalid>") == nil)
	must("MAIL goes on", mt.getreply(conn) == SMFIR_CONTINUE)
end

local function rcpt(conn, address, expected)
	must("RCPT " .. address, mt.rcptto(conn, "<" .. address .. ">") == nil)
	local got = mt.getreply(conn)
	must("RCPT " .. address .. ": " .. tostring(got), got == expected)
end

local function content(conn)
	is_off(mt.data, "DATA", conn)
	must("header", mt.header(conn, "Subject", "Hello") == nil)
	must("header goes on", mt.getreply(conn) == SMFIR_CONTINUE)
	is_off(mt.eoh, "EOH", conn)
	is_off(mt.bodystring, "BODY", conn, "A line.\r\n")
end

local function finish(conn, has_header)
	must("end", mt.eom(conn) == nil)
	local got = mt.getreply(conn)
	must("end: " .. tostring(got), got == SMFIR_CONTINUE)
	must("trace header", mt.eom_check(conn, MT_HDRINSERT, "X-Splitmx-Trace") == has_header)
	must("no other change", not mt.eom_check(conn, MT_BODYCHANGE) and not mt.eom_check(conn, MT_HDRADD) and
	    not mt.eom_check(conn, MT_HDRCHANGE) and not mt.eom_check(conn, MT_QUARANTINE))
end

-- a whole message, with all kinds of recipients
local conn = open()
mail(conn)
rcpt(conn, "ann@example.org", SMFIR_CONTINUE)
rcpt(conn, "gone@example.org", SMFIR_REPLYCODE)
rcpt(conn, "dark@example.org", SMFIR_REPLYCODE)
rcpt(conn, "held@example.org", SMFIR_CONTINUE)
rcpt(conn, "someone@foreign.invalid", SMFIR_CONTINUE)
content(conn)
finish(conn, true)

-- the next one on the same connection, to nobody of ours
mail(conn)
rcpt(conn, "someone@foreign.invalid", SMFIR_CONTINUE)
content(conn)
finish(conn, false)

-- left after each step, and begun anew
local steps = {
	function() end,
	function() mail(conn) end,
	function() rcpt(conn, "ann@example.org", SMFIR_CONTINUE) end,
	function() content(conn) end,
}
for last = 1, #steps do
	for step = 1, last do
		steps[step]()
	end
	must("abort", mt.abort(conn) == nil)
	mail(conn)
	rcpt(conn, "bob@example.org", SMFIR_CONTINUE)
	content(conn)
	finish(conn, true)
end

-- gone after each step
mt.disconnect(conn)
for last = 1, #steps do
	conn = open()
	for step = 1, last do
		steps[step]()
	end
	mt.disconnect(conn)
end
