// SPDX-License-Identifier: LGPL-2.1-or-later

async void ask (Seqex.Connection connection, Bytes payload) throws GLib.Error {
  var reply = yield connection.send_with_reply_async (payload);

  print ("%s\n", reply.dup_text ());
}

int main () {
  print ("%s %s\n", Seqex.VERSION_S, typeof (Seqex.Connection).name ());
  return 0;
}
