// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Seqex from Vala by its .vapi: what a program does with it, and that nothing leaks.

const uint DEADLINE = 20; // seconds, after which a test has failed

int finalized;

// Two connections over UDP on the loopback.
void make_pair (out Seqex.Connection a, out Seqex.Connection b) throws Error {
  var here = new Socket (SocketFamily.IPV4, SocketType.DATAGRAM, SocketProtocol.UDP);
  var there = new Socket (SocketFamily.IPV4, SocketType.DATAGRAM, SocketProtocol.UDP);

  here.bind (new InetSocketAddress.from_string ("127.0.0.1", 0), false);
  there.bind (new InetSocketAddress.from_string ("127.0.0.1", 0), false);
  here.connect (there.local_address);
  there.connect (here.local_address);
  a = new Seqex.Connection (here);
  b = new Seqex.Connection (there);
}

Bytes payload (string text) {
  return new Bytes (text.data);
}

delegate bool Condition ();

// Lets the main loop run until something holds.
async void until (owned Condition condition) {
  while (!condition ()) {
    Idle.add (until.callback, Priority.LOW);
    yield;
  }
}

// What is under way while another coroutine goes on.
class Question {
  public Seqex.Message? answer;
  public Error? error;
  public bool done;

  public Question (Seqex.Connection connection, string text, Cancellable? cancellable = null) {
    connection.send_with_reply_async.begin (payload (text), Seqex.SendFlags.NONE, cancellable,
                                            (object, result) => {
      try {
        answer = connection.send_with_reply_async.end (result);
      } catch (Error caught) {
        error = caught;
      }
      done = true;
    });
  }

  public async void finish () {
    yield until (() => done);
  }
}

async void test_handler_after_the_message (Seqex.Connection a, Seqex.Connection b) throws Error {
  var question = new Question (a, "early");
  yield until (() => b.get_statistics ().get_messages_received () == 1);
  var handler = b.message.connect ((message) => {
    assert_cmpstr (message.dup_text (), EQ, "early");
    message.reply_async.begin (payload ("late"));
    return true;
  });
  yield question.finish ();
  assert_no_error (question.error);
  assert_cmpstr (question.answer.dup_text (), EQ, "late");
  b.disconnect (handler);
}

async void test_chain (Seqex.Connection a, Seqex.Connection b) throws Error {
  var question = new Question (a, "one");
  var first = yield b.receive_async ();
  assert_true (first.expects_reply);
  assert_false (first.is_reply);
  Seqex.Message? third = null;
  first.reply_with_reply_async.begin (payload ("two"), Seqex.SendFlags.NONE, null,
                                      (object, result) => {
    try {
      third = first.reply_with_reply_async.end (result);
    } catch (Error error) {
      assert_no_error (error);
    }
  });
  yield question.finish ();
  assert_no_error (question.error);
  assert_cmpstr (question.answer.dup_text (), EQ, "two");
  assert_true (yield question.answer.reply_async (payload ("three")));
  yield until (() => third != null);
  assert_cmpstr (third.dup_text (), EQ, "three");
  assert_false (third.expects_reply);
}

async void test_errors (Seqex.Connection a, Seqex.Connection b) throws Error {
  var question = new Question (a, "?");
  var message = yield b.receive_async ();
  message.end ();
  yield question.finish ();
  assert_error (question.error, Seqex.Error.quark (), Seqex.Error.NO_REPLY);

  question = new Question (a, "?");
  message = yield b.receive_async ();
  message.end_with_reason (Seqex.EndReason.FAILED);
  yield question.finish ();
  assert_true (question.error is Seqex.Error.HANDLER_FAILED);

  try {
    yield message.reply_async (payload ("late"));
    assert_not_reached ();
  } catch (Seqex.Error error) {
    assert_error (error, Seqex.Error.quark (), Seqex.Error.ALREADY_ANSWERED);
  }
}

async void test_cancel (Seqex.Connection a, Seqex.Connection b) throws Error {
  var cancellable = new Cancellable ();
  var question = new Question (a, "?", cancellable);
  var message = yield b.receive_async ();
  cancellable.cancel ();
  yield question.finish ();
  assert_true (question.error is IOError.CANCELLED);
  yield until (() => message.cancelled);
}

async void test_timeout (Seqex.Connection a, Seqex.Connection b) throws Error {
  a.timeout = 50;
  var question = new Question (a, "?");
  var message = yield b.receive_async ();
  yield question.finish ();
  assert_true (question.error is IOError.TIMED_OUT);
  yield until (() => message.cancelled);
}

async void test_close (Seqex.Connection a, Seqex.Connection b) throws Error {
  a.send_async.begin (payload ("the last"));
  var message = yield b.receive_async ();
  assert_cmpstr (message.dup_text (), EQ, "the last");
  yield a.close_async ();
  assert_null (yield b.receive_async ());
  try {
    yield a.send_async (payload ("late"));
    assert_not_reached ();
  } catch (Error error) {
    assert_true (error is IOError.CLOSED);
  }
}

async void test_identity () throws Error {
  var directory = File.new_for_path (DirUtils.make_tmp ("seqex-vala-XXXXXX"));
  var file = directory.get_child ("me");
  var identity = yield Seqex.Identity.load_or_generate_async (file);
  var again = yield Seqex.Identity.load_file_async (file);
  var store = new Seqex.TrustStore (null);

  assert_cmpstr (again.fingerprint, EQ, identity.fingerprint);
  assert_true (identity.public_key.length == 32);
  assert_true (yield identity.save_file_async (file));
  file.delete ();
  directory.delete ();

  assert_true (store.remember ("one", identity.fingerprint));
  assert_true (store.check ("one", new Seqex.Identity.generate ().fingerprint) == CHANGED);
  assert_true (store.check (null, identity.fingerprint.up ()) == KNOWN);
  assert_cmpstr (store.lookup (identity.fingerprint).name, EQ, "one");
  assert_cmpuint (store.get_n_items (), EQ, 1);
  var secret = Seqex.shared_secret_generate ();
  assert_cmpstr (Seqex.shared_secret_normalize (Seqex.shared_secret_to_uri (secret)), EQ, secret);
}

async void dispatch (string name, Seqex.Connection a, Seqex.Connection b) throws Error {
  switch (name) {
  case "handler-after-the-message":
    yield test_handler_after_the_message (a, b);
    break;
  case "chain":
    yield test_chain (a, b);
    break;
  case "errors":
    yield test_errors (a, b);
    break;
  case "cancel":
    yield test_cancel (a, b);
    break;
  case "timeout":
    yield test_timeout (a, b);
    break;
  case "close":
    yield test_close (a, b);
    break;
  case "identity":
    yield test_identity ();
    break;
  default:
    assert_not_reached ();
  }
}

async void run_test (string name) throws Error {
  Seqex.Connection a, b;

  make_pair (out a, out b);
  a.weak_ref (() => finalized++);
  b.weak_ref (() => finalized++);
  yield dispatch (name, a, b);
  yield a.close_async ();
  yield b.close_async ();
}

// Runs a test with a pair of connections, and sees them, and all they held, go at the end.
void add_test (string name) {
  Test.add_data_func ("/seqex/vala/" + name, () => {
    var context = MainContext.default ();
    var done = false;
    var limit = Timeout.add_seconds (DEADLINE, () => {
      error ("it never came to pass");
    });

    finalized = 0;
    run_test.begin (name, (object, result) => {
      try {
        run_test.end (result);
      } catch (Error error) {
        assert_no_error (error);
      }
      done = true;
    });
    while (!done || finalized < 2)
      context.iteration (true);
    Source.remove (limit);
  });
}

int main (string[] args) {
  Test.init (ref args);
  foreach (unowned string name in new string[] {
    "handler-after-the-message", "chain", "errors", "cancel", "timeout", "close",
    "identity"
  })
    add_test (name);
  return Test.run ();
}
