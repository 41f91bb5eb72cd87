// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Hello world: five messages, each the reply to the one before, the last answered by an end.
//
//     hello-vala --serve     in one terminal
//     hello-vala --ask       in another, or the same program in another language

bool opt_serve;
bool opt_ask;
string? opt_local;
string? opt_remote;

const OptionEntry[] ENTRIES = {
  { "serve", 0, 0, OptionArg.NONE, ref opt_serve, "Wait for the other program", null },
  { "ask", 0, 0, OptionArg.NONE, ref opt_ask, "Speak first", null },
  { "local", 0, 0, OptionArg.STRING, ref opt_local,
    "Own address (127.0.0.1, port 5001 to serve, 5002 to ask)", "HOST:PORT" },
  { "remote", 0, 0, OptionArg.STRING, ref opt_remote,
    "Address of the other program, or of what leads to it", "HOST:PORT" },
  { null }
};

// Checks that a message is the one that comes at this place of the chain.
Seqex.Message got (int number, Seqex.Message? message) throws Error {
  var text = message == null ? null : message.dup_text ();

  print ("got  %s\n", text ?? "nothing");
  if (text == null || !text.has_prefix (@"$number "))
    throw new IOError.INVALID_DATA (@"message $number was to come");
  return message;
}

Bytes sent (int number, string text) {
  print (@"sent $number $text\n");
  return new Bytes (@"$number $text".data);
}

async void ask (Seqex.Connection connection) throws Error {
  var second = got (2, yield connection.send_with_reply_async (
    sent (1, "Hello, this is Vala.")));
  var fourth = got (4, yield second.reply_with_reply_async (
    sent (3, "Every word, and each once. And you?")));
  // A message that awaits no reply is ended as soon as the other program has it.
  yield fourth.reply_async (sent (5, "Then goodbye."));
  print ("message 5 was answered by an end\n");
}

async void serve (Seqex.Connection connection) throws Error {
  var first = got (1, yield connection.receive_async ());
  var third = got (3, yield first.reply_with_reply_async (
    sent (2, "Hello, this is Vala. Do you hear me well?")));
  var fifth = got (5, yield third.reply_with_reply_async (
    sent (4, "The same here. Nothing lost, nothing twice.")));

  if (fifth.expects_reply)
    throw new IOError.INVALID_DATA ("message 5 was to be the last");
}

SocketAddress parse_address (string text) throws Error {
  var address = (NetworkAddress) NetworkAddress.parse (text, 0);
  var result = new InetSocketAddress.from_string (address.hostname, address.port);

  if (result == null)
    throw new IOError.INVALID_ARGUMENT (@"'$text' is not a numeric address");
  return result;
}

// A connection over a UDP socket that is bound to one address and connected to the other. (Were it
// named connect, GIO would call it instead of the C library's function.)
Seqex.Connection open_connection () throws Error {
  var local = parse_address (opt_local ?? (opt_serve ? "127.0.0.1:5001" : "127.0.0.1:5002"));
  var remote = parse_address (opt_remote ?? (opt_serve ? "127.0.0.1:5002" : "127.0.0.1:5001"));
  var socket = new Socket (local.family, SocketType.DATAGRAM, SocketProtocol.UDP);

  socket.bind (local, false);
  socket.connect (remote);
  print ("%s at %s, other side at %s\n", opt_serve ? "listening" : "asking",
         local.to_string (), remote.to_string ());
  return (Seqex.Connection) Object.new (typeof (Seqex.Connection), "socket", socket,
                                        "application-id", "seqex-hello");
}

async void talk () throws Error {
  var connection = open_connection ();

  if (opt_serve)
    yield serve (connection);
  else
    yield ask (connection);
  yield connection.close_async ();
}

// The exit status is 0 only if everything held.
int main (string[] args) {
  var loop = new MainLoop ();
  var status = 0;

  try {
    var context = new OptionContext ("- hello world over Seqex");
    context.add_main_entries (ENTRIES, null);
    context.parse (ref args);
    if (opt_serve == opt_ask)
      throw new OptionError.FAILED ("one of --serve and --ask is needed");
  } catch (Error error) {
    printerr ("%s\n", error.message);
    return 2;
  }

  talk.begin ((object, result) => {
    try {
      talk.end (result);
    } catch (Error error) {
      print ("failed: %s\n", error.message);
      status = 1;
    }
    loop.quit ();
  });
  loop.run ();
  return status;
}
