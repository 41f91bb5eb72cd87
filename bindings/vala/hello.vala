// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Hello world: five messages, each the reply to the one before, the last answered by an end.
//
//     hello-vala --serve                          in one terminal
//     hello-vala --ask --peer-key FINGERPRINT     in another, or the same in another language

const uint16 DEFAULT_PORT = 5001;

bool opt_serve;
bool opt_ask;
string? opt_local;
string? opt_remote;
string? opt_peer_key;
string? opt_identity;

const OptionEntry[] ENTRIES = {
  { "serve", 0, 0, OptionArg.NONE, ref opt_serve, "Wait for the other program", null },
  { "ask", 0, 0, OptionArg.NONE, ref opt_ask, "Speak first", null },
  { "local", 0, 0, OptionArg.STRING, ref opt_local,
    "Own address (to serve: 127.0.0.1:5001; to ask: any)", "HOST:PORT" },
  { "remote", 0, 0, OptionArg.STRING, ref opt_remote, "Whom to ask (127.0.0.1:5001)",
    "HOST:PORT" },
  { "peer-key", 0, 0, OptionArg.STRING, ref opt_peer_key,
    "Who the other program must be; needed to ask, to serve it is anyone otherwise",
    "FINGERPRINT" },
  { "identity", 0, 0, OptionArg.FILENAME, ref opt_identity,
    "Who this program is, made if it is not there (somebody new each time)", "FILE" },
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
  var address = (NetworkAddress) NetworkAddress.parse (text, DEFAULT_PORT);
  var result = new InetSocketAddress.from_string (address.hostname, address.port);

  if (result == null)
    throw new IOError.INVALID_ARGUMENT (@"'$text' is not a numeric address");
  return result;
}

// An endpoint whose identity is in a file, or is for this time only.
Seqex.Endpoint make_endpoint () throws Error {
  var identity = opt_identity == null
    ? new Seqex.Identity.generate ()
    : Seqex.Identity.load_or_generate (File.new_for_commandline_arg (opt_identity), null);

  print ("fingerprint %s\n", identity.fingerprint);
  return (Seqex.Endpoint) Object.new (typeof (Seqex.Endpoint), "identity", identity,
                                      "application-id", "seqex-hello");
}

// Waits for the program that asks.
async Seqex.Connection accept_connection (Seqex.Endpoint endpoint, string? key) throws Error {
  endpoint.bind (parse_address (opt_local ?? "127.0.0.1"));
  // Whom the trust policy does not let in, the program is asked about.
  if (key == null)
    endpoint.trust_policy = Seqex.TrustPolicy.ANYONE;
  else
    endpoint.authorize.connect ((question) => {
      if (question.peer_key == key)
        question.accept ();
      else
        question.reject ();
      return true;
    });
  print ("listening at %s\n", endpoint.local_address.to_string ());
  return yield endpoint.accept_async ();
}

// Finds the program that serves.
async Seqex.Connection open_connection (Seqex.Endpoint endpoint, string? key) throws Error {
  var peer = NetworkAddress.parse (opt_remote ?? "127.0.0.1", DEFAULT_PORT);

  if (opt_local != null)
    endpoint.bind (parse_address (opt_local));
  print ("asking %s\n", peer.to_string ());
  return yield endpoint.open_connection_async (peer, key);
}

async void talk () throws Error {
  var key = opt_peer_key == null ? null : Seqex.fingerprint_normalize (opt_peer_key);
  var endpoint = make_endpoint ();
  Seqex.Connection connection;

  if (opt_serve)
    connection = yield accept_connection (endpoint, key);
  else
    connection = yield open_connection (endpoint, key);
  print ("connected to %s, who is %s\n", connection.remote_address.to_string (),
         connection.peer_key);
  if (opt_serve)
    yield serve (connection);
  else
    yield ask (connection);
  yield endpoint.close_async ();
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
    if (opt_ask && opt_peer_key == null)
      throw new OptionError.FAILED (
        "--peer-key is needed: the fingerprint that the other program prints");
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
