// What the server keeps for the user: OMA-DEF-10, -11, -13, OMA-HIS-1, -2, -5 as a client has them.
#include "tests/client/client_world.h"
#include "tools/parley/stored_job.h"

namespace parley::tests {
namespace {

using namespace client;

const std::string history_xml =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<history-list xmlns=\"urn:oma:xml:im:history-list\" left-out=\"3\">"
    "<history id=\"11\"><size>17</size><expiry>2026-12-30T07:20:55.000Z</expiry><subject>lunch &lt;now&gt;</subject>"
    "<date>2026-11-30T07:20:55.000Z</date><history-reference>sip:history-aa@example.org</history-reference>"
    "<conference><time-start>2026-11-30T07:20:55.000Z</time-start><conf-list><entry><display-name>Bob</display-name>"
    "<uri>sip:bob@example.org</uri></entry><entry><uri>sip:carol@example.org</uri></entry>"
    "<group-uri>sip:team@example.org</group-uri></conf-list></conference></history>"
    "<history id=\"12\"><size>5</size><date>2026-11-30T08:00:00.000Z</date>"
    "<history-reference>sip:history-bb@example.org</history-reference><pager><from>sip:alice@example.org</from>"
    "<to>sip:list@example.org</to><recipient-list><entry><uri>sip:x@example.org</uri></entry></recipient-list></"
    "pager></history>"
    "</history-list>";
const std::string deferred_xml =
    "<deferred-list xmlns=\"urn:oma:xml:im:deferred-list\"><entry id=\"7\"><from "
    "display-name=\"Bob\">sip:bob@example.org</from>"
    "<to>sip:alice@example.org</to><date>2026-11-30T07:20:55.000Z</date><expiry>2026-12-01T07:20:55.000Z</expiry>"
    "<size>5</size><mode>pager</mode><status>waiting</status><reference>sip:deferred-aa@example.org</reference></entry>"
    "</deferred-list>";

struct Keeping : ClientWorld {
  // The SUBSCRIBE of a list, answered with that document.
  using ClientWorld::ClientWorld;
  std::string listed(const std::string& document, const std::string& type,
                     const std::string& state = "terminated;reason=timeout") {
    const std::string subscribe = next("SUBSCRIBE");
    const std::string ok = response(subscribe, "200 OK", "Contact: <sip:srv@127.0.0.1:5060>\r\nExpires: 0\r\n");
    receive(ok);
    receive("NOTIFY sip:alice@127.0.0.1:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKn" +
            field(subscribe, "Call-ID") + "\r\nMax-Forwards: 70\r\nFrom: " + field(ok, "To") + "\r\nTo: " +
            field(ok, "From") + "\r\nCall-ID: " + field(ok, "Call-ID") +
            "\r\nCSeq: 1 NOTIFY\r\nContact: <sip:srv@127.0.0.1:5060>\r\nEvent: ua-profile\r\n"
            "Subscription-State: " + state + "\r\nContent-Type: " + type + "\r\n" + with_body(document));
    EXPECT_TRUE(next("SIP/2.0 200").starts_with("SIP/2.0 200"));
    return subscribe;
  }
  std::string history() { return listed(history_xml, "application/vnd.oma.im.history-list+xml"); }
  // The fetch of 11 goes so far that messages come.
  core::ConnId fetching(Stored what = Stored::history) {
    step([&] { client().fetch_stored(what, what == Stored::history ? "11" : "7"); });
    return fetch_goes_on(what);
  }
  core::ConnId fetch_goes_on(Stored what) {
    if (what == Stored::history) {
      (void)history();
    } else {
      (void)listed(deferred_xml, "application/vnd.oma.im.deferred-list+xml");
    }
    invite = next("INVITE");
    respond(invite, "200 OK",
            "Contact: <sip:srv@127.0.0.1:5060>;+g.oma.sip-im\r\nAllow: INVITE, ACK, BYE\r\nContent-Type: "
            "application/sdp\r\n",
            chat_sdp("a=setup:passive\r\na=sendonly\r\n"));
    EXPECT_NE(next("ACK"), "");
    const std::size_t path = invite.find("a=path:") + 7;
    own = invite.substr(path, invite.find("\r\n", path) - path);
    return media_up();
  }
  void comes(core::ConnId conn, const std::string& lines, const std::string& content,
             const std::string& answer = "200 OK") {
    const std::string tid = "tid" + std::to_string(++tids);
    const std::string size = std::to_string(content.size());
    bytes(conn, "MSRP " + tid + " SEND\r\nTo-Path: " + own + "\r\nFrom-Path: msrp://127.0.0.1:3000/bob;tcp\r\n" +
                    "Message-ID: hist." + std::to_string(tids) + "\r\nByte-Range: 1-" + size + "/" + size + "\r\n" +
                    lines + "\r\n\r\n" + content + "\r\n-------" + tid + "$\r\n");
    said = written(conn);
    EXPECT_NE(said.find("MSRP " + tid + " " + answer), std::string::npos) << said;
  }
  std::string said;  // to the last that came
  std::string invite;
  std::string own;
  int tids = 0;
};

std::string list_of(const Event& event, std::string_view key) {
  std::string all;
  for (const Event::Field& each : event.fields) {
    if (each.key != key) continue;
    for (const std::string& item : each.items) all += item + " ";
  }
  return all;
}

TEST(Stored, OMA_HIS_1_records_are_listed_by_one_notify) {
  Keeping world;
  world.step([&] { world.client().list_stored(Stored::history); });
  const std::string subscribe = world.history();
  EXPECT_TRUE(subscribe.starts_with("SUBSCRIBE sip:alice@example.org ")) << subscribe;
  EXPECT_EQ(field(subscribe, "Event"), "ua-profile");
  EXPECT_EQ(field(subscribe, "Accept"), "application/vnd.oma.im.history-list+xml");
  EXPECT_EQ(field(subscribe, "Expires"), "0");
  Event entry = world.event("entry");
  EXPECT_EQ(entry.get("of"), "history");
  EXPECT_EQ(entry.get("id"), "11");
  EXPECT_EQ(entry.get("mode"), "session");
  EXPECT_EQ(entry.get("from"), "sip:bob@example.org");
  EXPECT_EQ(list_of(entry, "users"), "sip:carol@example.org ");
  EXPECT_EQ(entry.get("group"), "sip:team@example.org");
  EXPECT_EQ(entry.get("subject"), "lunch <now>");
  EXPECT_EQ(entry.number_of("size"), 17U);
  EXPECT_EQ(entry.get("reference"), "sip:history-aa@example.org");
  entry = world.event("entry");
  EXPECT_EQ(entry.get("mode"), "pager-large");
  EXPECT_EQ(entry.get("from"), "sip:alice@example.org");
  EXPECT_EQ(list_of(entry, "users"), "sip:list@example.org sip:x@example.org ");
  const Event list = world.event("list");
  EXPECT_EQ(list.number_of("entries"), 2U);
  EXPECT_EQ(list.number_of("left_out"), 3U);
}

TEST(Stored, OMA_DEF_11_messages_that_wait_are_listed) {
  Keeping world;
  world.step([&] { world.client().list_stored(Stored::deferred); });
  const std::string subscribe = world.listed(deferred_xml, "application/vnd.oma.im.deferred-list+xml");
  EXPECT_EQ(field(subscribe, "Accept"), "application/vnd.oma.im.deferred-list+xml");
  const Event entry = world.event("entry");
  EXPECT_EQ(entry.get("of"), "deferred");
  EXPECT_EQ(entry.get("id"), "7");
  EXPECT_EQ(entry.get("mode"), "pager");
  EXPECT_EQ(entry.get("from"), "sip:bob@example.org");
  EXPECT_EQ(entry.get("reference"), "sip:deferred-aa@example.org");
  EXPECT_EQ(world.event("list").number_of("entries"), 1U);
}

TEST(Stored, OMA_HIS_1_what_can_not_be_listed_is_said) {
  Keeping world;
  world.step([&] { world.client().list_stored(Stored::history); });
  world.respond(world.next("SUBSCRIBE"), "489 Bad Event");
  Event failed = world.event("list_failed");
  EXPECT_EQ(failed.get("of"), "history");
  EXPECT_EQ(failed.number_of("status"), 489U);
  for (const std::string& wrong : {std::string("<a"), std::string("<deferred-list/>"), history_xml.substr(0, 300)}) {
    world.step([&] { world.client().list_stored(Stored::history); });
    (void)world.listed(wrong, "application/vnd.oma.im.history-list+xml");
    EXPECT_EQ(world.event("list_failed").number_of("status"), 502U) << wrong;
  }
  world.step([&] { world.client().fetch_stored(Stored::history, "99"); });
  (void)world.history();
  failed = world.event("fetch_failed");
  EXPECT_EQ(failed.get("id"), "99");
  EXPECT_EQ(failed.number_of("status"), 404U);
  EXPECT_EQ(world.next("INVITE"), "");
}

TEST(Stored, OMA_HIS_5_a_record_is_fetched_by_its_reference) {
  Keeping world;
  const core::ConnId conn = world.fetching();
  EXPECT_TRUE(world.invite.starts_with("INVITE sip:history-aa@example.org ")) << world.invite;
  EXPECT_NE(world.invite.find("\r\na=recvonly\r\n"), std::string::npos) << world.invite;
  EXPECT_NE(world.invite.find("\r\na=accept-types:*\r\n"), std::string::npos) << world.invite;
  const Event fetch = world.event("fetch");
  EXPECT_EQ(fetch.get("id"), "11");
  EXPECT_NE(fetch.number_of("session"), 0U);
  const std::string head =
      "From: Bob <sip:bob@example.org>\r\nTo: <sip:alice@example.org>\r\nDateTime: 2026-11-30T07:20:55Z\r\n"
      "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: i1\r\n"
      "imdn.Disposition-Notification: positive-delivery\r\n\r\nContent-Type: ";
  world.comes(conn,
              "History-Direction: received\r\nHistory-Date: 2026-11-30T07:20:55.123Z\r\nContent-Type: message/cpim",
              head + "text/plain\r\n\r\nhello");
  Event message = world.event("message");
  EXPECT_EQ(message.get("from"), "sip:bob@example.org");
  EXPECT_EQ(message.get("name"), "Bob");
  EXPECT_EQ(message.get("mode"), "history");
  EXPECT_EQ(message.get("way"), "received");
  EXPECT_EQ(message.get("text"), "hello");
  EXPECT_EQ(message.get("date"), "2026-11-30T07:20:55Z");
  EXPECT_EQ(world.next("MESSAGE"), "") << "its receipt was given when it came";
  world.comes(conn, "History-Direction: sent\r\nContent-Type: message/cpim", head + "image/png\r\n\r\n\x89PNG");
  message = world.event("message");
  EXPECT_EQ(message.get("way"), "sent");
  EXPECT_EQ(message.get("type"), "image/png");
  EXPECT_EQ(message.get("path"), "/x");
  EXPECT_TRUE(world.files.files.empty()) << "those are of others";
  ASSERT_EQ(world.fetched.files.size(), 1U);
  EXPECT_EQ(world.fetched.files.begin()->second.bytes, "\x89PNG");
  EXPECT_EQ(world.fetched.files.begin()->second.offer.name, "history-11-2.png");
  world.fetched.answer = FileStore::no_place;
  world.comes(conn, "Content-Type: image/png", "abc");
  EXPECT_EQ(world.event("message").get("base64"), "YWJj");
}

TEST(Stored, OMA_DEF_13_a_message_that_waits_is_fetched_and_its_receipt_given) {
  Keeping world;
  const core::ConnId conn = world.fetching(Stored::deferred);
  EXPECT_TRUE(world.invite.starts_with("INVITE sip:deferred-aa@example.org ")) << world.invite;
  world.comes(conn, "Content-Type: text/plain", "plain");
  Event message = world.event("message");
  EXPECT_EQ(message.get("from"), "sip:bob@example.org") << "as the list says";
  EXPECT_EQ(message.get("mode"), "deferred");
  EXPECT_EQ(world.next("MESSAGE"), "");
  world.comes(conn, "Content-Type: message/cpim",
              "From: <sip:bob@example.org>\r\nTo: <sip:alice@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
              "imdn.Message-ID: i1\r\nimdn.Disposition-Notification: positive-delivery\r\n\r\nContent-Type: "
              "text/plain\r\n\r\nhi");
  EXPECT_EQ(world.event("message").get("text"), "hi");
  EXPECT_NE(world.next("MESSAGE").find("<delivered/>"), std::string::npos) << "OMA-DEF-9";
}

const std::string picture =
    "From: <sip:bob@example.org>\r\nTo: <sip:alice@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
    "imdn.Message-ID: i1\r\nimdn.Disposition-Notification: positive-delivery\r\n\r\nContent-Type: "
    "image/png\r\n\r\n\x89PNG";

TEST(Stored, OMA_DEF_13_what_can_not_be_saved_stays_with_the_server) {
  Keeping world;
  const core::ConnId conn = world.fetching(Stored::deferred);
  const std::string lines = "Success-Report: yes\r\nContent-Type: message/cpim";
  world.fetched.answer = 480;  // no file can be opened
  world.comes(conn, lines, picture, "413 ");
  EXPECT_EQ(world.said.find(" REPORT\r\n"), std::string::npos) << world.said;
  Event message = world.event("message");
  EXPECT_EQ(message.get("good"), "false");
  EXPECT_EQ(message.get("base64"), "");
  EXPECT_EQ(world.next("MESSAGE"), "");
  world.fetched.answer = 0;
  world.fetched.full = true;
  world.comes(conn, lines, picture, "413 ");
  EXPECT_EQ(world.event("message").get("good"), "false");
  EXPECT_EQ(world.said.find(" REPORT\r\n"), std::string::npos) << world.said;
  EXPECT_EQ(world.next("MESSAGE"), "");
  world.fetched.full = false;
  world.comes(conn, lines, picture);
  message = world.event("message");
  EXPECT_EQ(message.get("good"), "true");
  EXPECT_EQ(message.get("path"), "/x");
  EXPECT_NE(world.said.find(" REPORT\r\n"), std::string::npos) << world.said;
  EXPECT_NE(world.next("MESSAGE").find("<delivered/>"), std::string::npos);
  world.fetched.answer = FileStore::no_place;
  world.comes(conn, lines, picture);
  EXPECT_EQ(world.event("message").get("base64"), "iVBORw==");
  EXPECT_NE(world.next("MESSAGE").find("<delivered/>"), std::string::npos);
}

TEST(Stored, OMA_DEF_13_the_last_chunk_is_refused) {
  Keeping world;
  const core::ConnId conn = world.fetching(Stored::deferred);
  world.fetched.full = true;
  const auto chunk = [&](const std::string& tid, const std::string& range, const std::string& bytes,
                         const std::string& flag) {
    world.bytes(conn, "MSRP " + tid + " SEND\r\nTo-Path: " + world.own +
                          "\r\nFrom-Path: msrp://127.0.0.1:3000/bob;tcp\r\n" + "Message-ID: m1\r\nByte-Range: " +
                          range + "\r\nContent-Type: image/png\r\n\r\n" + bytes + "\r\n-------" + tid + flag + "\r\n");
    return world.written(conn);
  };
  EXPECT_NE(chunk("one1", "1-3/6", "abc", "+").find("MSRP one1 200 "), std::string::npos);
  EXPECT_NE(chunk("two2", "4-6/6", "def", "$").find("MSRP two2 413 "), std::string::npos);
  EXPECT_EQ(world.event("message").get("good"), "false");
}

TEST(Stored, OMA_HIS_5_a_record_goes_on_behind_what_can_not_be_saved) {
  Keeping world;
  const core::ConnId conn = world.fetching();
  world.fetched.answer = 480;
  world.comes(conn, "Content-Type: image/png", "abc");
  EXPECT_EQ(world.event("message").get("good"), "false");
  world.comes(conn, "Content-Type: text/plain", "next");
  EXPECT_EQ(world.event("message").get("text"), "next");
}

TEST(Stored, names_of_files_have_letters_and_digits) {
  Keeping world;
  const core::ConnId conn = world.fetching();
  const auto name_of = [&](const std::string& type) {
    std::string content = picture;
    content.replace(content.find("image/png"), 9, type);
    world.fetched.files.clear();
    world.comes(conn, "Content-Type: message/cpim", content);
    return world.fetched.files.size() == 1 ? world.fetched.files.begin()->second.offer.name : std::string();
  };
  EXPECT_EQ(name_of("image/svg+xml"), "history-11-1.svg+xml");
  EXPECT_EQ(name_of("image/x_*!y.z"), "history-11-2.xy.z");
  EXPECT_EQ(name_of("image/*"), "history-11-3.bin");
}

TEST(Stored, only_entries_with_an_id_are_in_a_list) {
  for (const char* bad : {"", "1&quot;]", "&#x9b;2J", "../x", "1 2"}) {
    const std::optional<StoredList> list = read_stored_list(
        Stored::deferred, "<deferred-list><entry id=\"" + std::string(bad) +
                              "\"><size>1</size></entry><entry><size>1</size></entry>"
                              "<entry id=\"a7\"><size>5</size></entry></deferred-list>");
    ASSERT_TRUE(list);
    ASSERT_EQ(list->entries.size(), 1U) << bad;
    EXPECT_EQ(list->entries[0].id, "a7");
  }
}

TEST(Stored, OMA_DEF_13_a_reference_is_a_sip_uri_and_nothing_besides) {
  for (const char* bad : {"", "x", "tel:+4930", "sip:a@b&#13;&#10;Evil: 1", "sip:a@b c", "sip:a@b&gt;"}) {
    Keeping world;
    world.step([&] { world.client().fetch_stored(Stored::deferred, "7"); });
    std::string document = deferred_xml;
    const std::string good = "sip:deferred-aa@example.org";
    document.replace(document.find(good), good.size(), bad);
    (void)world.listed(document, "application/vnd.oma.im.deferred-list+xml");
    const Event failed = world.event("fetch_failed");
    EXPECT_EQ(failed.number_of("status"), 502U) << bad;
    EXPECT_EQ(failed.get("id"), "7");
    EXPECT_EQ(world.next("INVITE"), "");
  }
}

TEST(Stored, OMA_DEF_11_an_empty_notify_is_a_failure) {
  Keeping world;
  const std::string type = "application/vnd.oma.im.deferred-list+xml";
  world.step([&] { world.client().list_stored(Stored::deferred); });
  (void)world.listed("", type);
  EXPECT_EQ(world.event("list_failed").number_of("status"), 503U);
  EXPECT_EQ(world.event("list_failed").name, "") << "once";
  world.step([&] { world.client().fetch_stored(Stored::deferred, "7"); });
  (void)world.listed("", type);
  const Event failed = world.event("fetch_failed");
  EXPECT_EQ(failed.number_of("status"), 503U);
  EXPECT_EQ(failed.get("id"), "7");
  world.step([&] { world.client().list_stored(Stored::deferred); });
  (void)world.listed("", type, "pending;expires=0");
  EXPECT_EQ(world.event("list_failed").name, "") << "nobody has decided yet";
}

TEST(Stored, what_can_not_be_sent_is_said) {
  Keeping world([](ClientConfig& config) { config.agent.exchanges_max = 0; });
  world.step([&] { world.client().fetch_stored(Stored::history, "11"); });
  const Event failed = world.event("fetch_failed");
  EXPECT_EQ(failed.get("of"), "history");
  EXPECT_EQ(failed.get("id"), "11");
  EXPECT_EQ(failed.number_of("status"), 503U);
  world.step([&] { world.client().fetch(); });
  EXPECT_EQ(world.event("settings_failed").number_of("status"), 503U);
}

// A run of `deferred get 7`.
struct Getting : Keeping {
  Getting() {
    Settings settings;
    settings.command = Settings::Command::stored_get;
    settings.id = "7";
    job = make_stored_job(settings);
    step([&] { job->start(client(), now()); });
    conn = fetch_goes_on(Stored::deferred);
    hear();
  }
  void hear() {
    for (const Event& event : std::exchange(events, {})) job->on_event(client(), event);
  }
  void ends() {
    receive("BYE sip:alice@127.0.0.1:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKbye\r\n"
            "Max-Forwards: 70\r\nFrom: " +
            field(invite, "To") + ";tag=srv\r\nTo: " + field(invite, "From") + "\r\nCall-ID: " +
            field(invite, "Call-ID") + "\r\nCSeq: 2 BYE\r\n" + with_body(""));
    hear();
  }
  std::unique_ptr<Job> job;
  core::ConnId conn;
};

TEST(StoredJob, what_is_not_saved_is_a_failure) {
  Getting run;
  run.fetched.answer = 480;
  run.comes(run.conn, "Content-Type: image/png", "abc", "413 ");
  run.hear();
  EXPECT_NE(run.job->take_complaint().find("not saved"), std::string::npos);
  EXPECT_FALSE(run.job->status());
  run.ends();
  EXPECT_EQ(run.job->status(), exit_usage);
}

TEST(StoredJob, only_its_own_session_ends_it) {
  Getting run;
  Event other("session");
  other.number("session", 999).text("state", "ended").text("why", "486");
  run.job->on_event(run.client(), other);
  EXPECT_FALSE(run.job->status());
  run.comes(run.conn, "Content-Type: image/png", "abc");
  run.hear();
  EXPECT_EQ(run.job->take_output(), "sip:bob@example.org: [image/png, 3 bytes: /x]\n");
  run.ends();
  EXPECT_EQ(run.job->status(), exit_done);
}

TEST(Stored, OMA_HIS_5_a_refusal_ends_the_fetch) {
  Keeping world;
  world.step([&] { world.client().fetch_stored(Stored::history, "11"); });
  (void)world.history();
  world.respond(world.next("INVITE"), "410 Gone");
  const std::uint64_t session = world.event("fetch").number_of("session");
  Event told = world.event("session");
  while (!told.name.empty() && told.get("state") != "ended") told = world.event("session");
  EXPECT_EQ(told.number_of("session"), session);
  EXPECT_EQ(told.get("why"), "410");
}

TEST(Stored, OMA_HIS_5_OMA_DEF_10_an_entry_is_deleted_by_xcap) {
  Keeping world;
  bool asked = false;
  world.step([&] { asked = world.client().delete_stored(Stored::history, "11"); });
  EXPECT_TRUE(asked);
  world.step([&] { asked = world.client().delete_stored(Stored::deferred, "7"); });
  ASSERT_EQ(world.xcap.erased.size(), 2U);
  EXPECT_EQ(world.xcap.erased[0].second,
            "/org.openmobilealliance.conv-history/users/sip:alice@example.org/conv-history/~~/history-list/"
            "history%5B@id=%2211%22%5D");
  EXPECT_EQ(world.xcap.erased[1].second,
            "/org.openmobilealliance.deferred-list/users/sip:alice@example.org/deferred-list/~~/deferred-list/"
            "entry%5B@id=%227%22%5D");
  world.step([&] { world.client().on_erased(world.xcap.erased[1].first, 404); });
  Event deleted = world.event("deleted");
  EXPECT_EQ(deleted.get("of"), "deferred");
  EXPECT_EQ(deleted.get("id"), "7");
  EXPECT_EQ(deleted.number_of("status"), 404U);
  world.step([&] { world.client().on_erased(world.xcap.erased[1].first, 200); });
  EXPECT_EQ(world.event("deleted").name, "") << "once";
}

TEST(Stored, ids_are_letters_and_digits) {
  EXPECT_TRUE(is_stored_id("18446744073709551615"));
  EXPECT_TRUE(is_stored_id("aZ09"));
  for (const char* bad : {"", "1\"]", "a-b", "\x9b"}) EXPECT_FALSE(is_stored_id(bad)) << bad;
  EXPECT_FALSE(is_stored_id(std::string(65, '1')));
}

}  // namespace
}  // namespace parley::tests
