// core/store/store.h - what outlives the process: rows, what is done to them, and who takes what is to be done.
//
// A Worker says what is to be stored by Outbox::store; its loop gives that to the StoreSink, which works on threads of its
// own: no shard ever waits for a disk. Operations of one shard are carried out in their order, and so are those on one
// body; between the two there is none. One with a token is answered, as Input `stored`, when what it did can not be lost
// any more (of WriteBody that comes with SyncBody); others are not. Times are milliseconds since 1970, since no other
// clock outlives a process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace parley::core {

// One way to reach a user (RFC 3261 section 10), as sip::Binding says. Table `registration`; its key is (aor, id).
struct BindingRow {
  std::string aor;
  std::uint64_t id = 0;  // below 2^63; names it among those of its aor for its whole life
  std::string contact;
  std::string display;
  std::string params;
  std::string instance;
  std::uint32_t reg_id = 0;
  std::uint16_t q = 1000;
  std::string call_id;
  std::uint32_t cseq = 0;
  std::string path;
  std::string user_agent;
  std::string listener;  // where its last REGISTER came in: "udp 192.0.2.1:5060"
  std::string remote;    // and from where: "198.51.100.7:5060"
  bool over_flow = false;
  bool server = false;
  std::uint32_t granted_s = 0;
  std::int64_t registered_ms = 0;
  std::int64_t refreshed_ms = 0;
  std::int64_t expires_ms = 0;
  bool operator==(const BindingRow&) const = default;
};

// What the user for whom a message waits knows of it. A larger one never becomes a smaller one.
enum class DeferredState : std::uint8_t {
  fresh,          // nothing
  told,           // that it waits
  expiring,       // likewise or not, and its end is near
  told_expiring,  // that, too
};

// A message that waits for a user. Table `deferred`; its key is id.
struct DeferredRow {
  std::uint64_t id = 0;  // below 2^63, larger than that of any message that came before
  std::string aor;       // whom it waits for
  std::string sender;    // policy::user_key of who sent it; order is kept for each of them
  std::string key;       // two messages with the same one are one message that was sent twice
  std::string message_id;    // imdn.Message-ID; empty: it has none
  std::uint32_t notices = 0;  // bits of policy::Notice that its sender wants
  std::int64_t arrived_ms = 0;
  std::int64_t expires_ms = 0;
  std::string head;  // header lines that go with it, each with its line end
  std::string body;  // of a large message its beginning
  // A large message: how long it is, and the header lines of its SENDs. The whole of it is the body of that id. 0: it is none.
  std::uint64_t large_bytes = 0;
  std::string large_head{};
  DeferredState state = DeferredState::fresh;
  std::uint64_t size = 0;  // of a row that was loaded: of its message, also where that was left out
  // Call-ID of the MESSAGE that its sender sent; of a large message the Message-ID of its SENDs.
  std::string request_id{};
  bool operator==(const DeferredRow&) const = default;
};

// A message to several, of which some have yet to get it. Tables `sending`, whose key is id, and `sending_copy`.
struct SendingRow {
  struct Copy {
    std::uint32_t number = 0;  // names it in its message
    std::string uri;
    bool operator==(const Copy&) const = default;
  };
  std::uint64_t id = 0;  // as that of DeferredRow
  std::string from;      // value of From, without tag
  std::string sender;    // AO-IMA
  std::string list;      // URI of the list or group
  bool hidden = false;   // nobody is told who is in it
  std::int64_t arrived_ms = 0;
  std::string message_id;
  std::uint32_t notices = 0;
  std::string head;  // header lines that go with each copy
  std::string type;  // value of Content-Type
  std::string body;
  std::vector<Copy> copies;  // those that have not come to their end
  std::string call_id{};  // of the MESSAGE that its sender sent
  bool operator==(const SendingRow&) const = default;
};

// What an operator has to say to a user, and what has become of it. Table `system_message`; its key is id.
struct SystemMessageRow {
  std::uint64_t id = 0;  // as that of DeferredRow
  std::string aor;       // whom it is for
  std::string text;
  std::string language;  // empty: not said
  std::string options;   // as policy::put_options writes them
  std::uint32_t answer_within_s = 0;  // 0: none is demanded
  std::int64_t ordered_ms = 0;
  std::uint32_t state = 0;  // policy::SystemMessageState
  std::uint32_t status = 0;  // of the device that took it, or why none did
  std::int64_t deadline_ms = 0;  // of the answer
  std::string answer;            // id of the option
  std::int64_t changed_ms = 0;
  bool operator==(const SystemMessageRow&) const = default;
};

// What one device of a user has published of his settings (RFC 3903). Table `publication`; its key is (aor, name).
struct PublicationRow {
  std::string aor;
  std::string name;  // its first entity tag, for its whole life
  std::string entity_tag;
  std::string body;
  std::uint64_t changed = 0;  // rises with every change of a body: the highest one of a user spoke last
  std::int64_t expires_ms = 0;
  bool operator==(const PublicationRow&) const = default;
};

// An IM session that its participants may come back to when the process that had it is gone. Table `im_session`; its key is
// name.
struct SessionRow {
  std::string name;      // user part of its identity
  std::string identity;  // session identity: a URI
  std::string group;     // key of its group; empty: it was begun with a list
  std::string originator;
  std::string members;  // URIs of whom he or others have named, each with a line end
  std::string subject;
  std::int64_t left_ms = 0;  // since when no process has it; 0: one has, or had until it ended without a word
  bool operator==(const SessionRow&) const = default;
};

// A subscription to something of ours (RFC 6665), and the dialog that it is in. Table `subscription`; its key is id.
struct SubscriptionRow {
  std::uint64_t id = 0;  // below 2^63, by chance
  std::string owner;     // of its event package: policy::EventDialogs::Parts::kept_as
  std::string event;     // value of Event, with its id
  std::string resource;  // what is watched, as its owner calls it
  std::string watcher;   // for whom it was let in; empty: its owner need not know
  std::uint32_t version = 0;  // of the next document
  bool changes_only = false;  // its subscriber wants less than the whole document
  std::string call_id;
  std::string local;   // header values with their tags
  std::string remote;
  std::string target;  // URI
  std::string routes;  // "<a;lr>, <b;lr>"
  std::uint32_t local_cseq = 0;
  std::uint32_t remote_cseq = 0;
  bool secure = false;
  bool joined = false;  // something else has made the dialog
  std::string contact;  // our own, as a header value
  std::string listener;  // where its last SUBSCRIBE came in: "udp 192.0.2.1:5060"
  std::string source;    // and from where: "198.51.100.7:5060"
  bool back = false;     // NOTIFYs go back there
  std::int64_t expires_ms = 0;
  bool operator==(const SubscriptionRow&) const = default;
};
// A row is written when something but a number changes, not with each NOTIFY, and when half of this has been sent since.
// What the next process reads is higher by all of it: above whatever was sent, and a process may end two thousand times until
// numbers of 31 bits are used up.
inline constexpr std::uint32_t subscription_numbers_step = 1U << 20;
inline constexpr std::uint32_t subscription_cseq_max = 0x7fff'ffffU;

// What a user has written by XCAP (RFC 4825). Table `xcap_document`; its key is (auid, owner, name).
struct XcapRow {
  std::string auid;
  std::string owner;  // policy::user_key
  std::string name;   // of the document
  std::string etag;   // without quotes
  std::string body;
  std::int64_t changed_ms = 0;
  bool operator==(const XcapRow&) const = default;
};

// hist-activation has two types (OMA-SET-3), and so has what is recorded by it.
enum class HistoryKind : std::uint8_t { session, pager_large };

// What a user has said and heard in one session, or one pager or large message of his. Table `history_record`; its key is
// id.
struct HistoryRecordRow {
  std::uint64_t id = 0;  // as that of DeferredRow
  std::string aor;       // whose it is
  HistoryKind kind = HistoryKind::session;
  std::string from{};    // value of From, without tag, as this user may see it
  std::string to{};      // likewise
  std::string group{};   // URI of the group or of the session of several; empty: none
  std::string people{};  // URIs of a list that went with it, each with a line end
  std::string subject{};
  bool begun_by_owner = false;  // whatever his From says
  std::int64_t began_ms = 0;
  std::int64_t ended_ms = 0;  // 0: it goes on
  std::int64_t expires_ms = 0;
  std::uint32_t messages = 0;  // of a row that was loaded: how many it has,
  std::uint64_t bytes = 0;     // and of how many bytes their bodies are
  bool operator==(const HistoryRecordRow&) const = default;
};

// One message of a record. Table `history_message`; its key is (record, number). Equal bodies are kept once, whoever has them.
struct HistoryMessageRow {
  std::uint64_t record = 0;
  std::uint32_t number = 0;  // rises in the order in which they passed
  std::int64_t at_ms = 0;
  bool sent = false;         // by the user whose record it is
  std::string message_id{};  // that of CPIM, or else of MSRP; empty: it has none
  std::string type{};        // value of Content-Type
  std::string body{};        // as it passed, with its CPIM around it
  std::uint64_t size = 0;    // of the body, also of one that is larger than what is kept: that one is left out
  bool kept = true;          // false: it was left out
  bool operator==(const HistoryMessageRow&) const = default;
};

// --- what is done to them

struct PutBinding {  // in place of the row of that key, if there is one
  BindingRow row;
};
struct RemoveBinding {  // nothing happens if it is not there
  std::string aor;
  std::uint64_t id = 0;
};
// `duplicate` when a message with that `key` waits already, which then is this operation's as well; `full` when its user has
// that many, or that many bytes, and nothing is stored.
struct PutDeferred {
  DeferredRow row;
  std::uint32_t count_max = 0;
  std::uint64_t bytes_max = 0;
};
struct RemoveDeferred {
  std::uint64_t id = 0;
  // Only if no later PutDeferred found it there: its sender was told that it is stored.
  bool unless_claimed = false;
};
// The oldest messages of a user with an id above `after`: at most count_max, and no more behind the one that passes
// bytes_max.
struct LoadDeferred {
  std::string aor;
  std::uint64_t after = 0;
  std::uint32_t count_max = 0;
  std::uint64_t bytes_max = 0;
  bool bodies = true;  // false: rows come without theirs, which then do not count
};
// One message, if it is there.
struct LoadMessage {
  std::uint64_t id = 0;
};
// Whether one more message of so many bytes would be taken for a user: `full`, or how many bytes in `room`.
struct AskDeferred {
  std::string aor;
  std::uint64_t bytes = 0;
  std::uint32_t count_max = 0;
  std::uint64_t bytes_max = 0;
};
// Messages whose time is over, as above, of whatever user. They stay until they are removed.
struct LoadExpired {
  std::int64_t now_ms = 0;
  std::uint32_t count_max = 0;
};
// Messages of whatever user whose time is over by then and whose state is below `expiring`, the next first, without bodies.
struct LoadExpiring {
  std::int64_t until_ms = 0;
  std::uint32_t count_max = 0;
};
// Those of these that are there, of whatever user, without bodies.
struct FindDeferred {
  std::vector<std::uint64_t> ids;
};
// Those of these that are there and in a smaller state.
struct MarkDeferred {
  std::vector<std::uint64_t> ids;
  DeferredState state = DeferredState::told;
};
// Messages with that imdn.Message-ID, or request_id, of whatever user, without bodies.
struct FindMessage {
  std::string id;
  std::uint32_t count_max = 0;
};
struct PutSending {
  SendingRow row;
};
struct RemoveCopy {  // with the last one goes the message
  std::uint64_t sending = 0;
  std::uint32_t copy = 0;
};
struct RemoveSending {  // with all its copies
  std::uint64_t id = 0;
};

struct PutSystemMessage {  // in place of the row of that id, if there is one
  SystemMessageRow row;
};
struct RemoveSystemMessage {
  std::uint64_t id = 0;
};
struct PutXcap {  // in place of the row of that key, if there is one
  XcapRow row;
  std::string also_owner{};  // whose document of that usage and name goes with it, or stays with it; empty: nobody's
};
struct RemoveXcap {  // nothing happens if it is not there
  std::string auid;
  std::string owner;
  std::string name;
  std::string also_owner{};  // as above
};

struct PutPublication {  // in place of the row of that key, if there is one
  PublicationRow row;
};
struct RemovePublication {
  std::string aor;
  std::string name;
};
struct PutSubscription {  // in place of the row of that id, if there is one
  SubscriptionRow row;
};
struct RemoveSubscription {
  std::uint64_t id = 0;
};
struct PutSession {  // in place of the row of that name, if there is one
  SessionRow row;
};
struct RemoveSession {
  std::string name;
};

// In place of the row of that id, if there is one, whose messages stay. When its user has more than count_max records then, as
// many of his others go: the oldest ones that have ended, and when there is none the oldest ones; `removed` says how many
// messages they had. With keep_old none goes, and it is `full`: nothing is stored.
struct PutHistory {
  HistoryRecordRow row;
  std::uint32_t count_max = 0;
  bool keep_old = false;
};
// Nothing happens if it is not there: its user has removed it.
struct EndHistory {
  std::uint64_t id = 0;
  std::int64_t ended_ms = 0;
  std::int64_t expires_ms = 0;
};
// Nothing happens if its record is not there. When its user would have more messages than count_max, or more than bytes_max of
// bodies, his oldest records that have ended go, and when there is none the oldest messages of those that go on; `removed` says
// how many messages. With keep_old none goes, and it is `full`: it is not stored. So is one that does not fit alone.
struct AddHistoryMessage {
  HistoryMessageRow row;                    // without a body
  std::shared_ptr<const std::string> body;  // one for all who record that message; null: it is left out
  std::string aor;  // of the record
  std::uint32_t count_max = 0;
  std::uint64_t bytes_max = 0;
  bool keep_old = false;
};
// Those of these records that are this user's, or all of his up to the id `through`, with their messages: the oldest first, as many
// as hold up others only shortly. `removed` says how many records; `more` that some are left, also parts of one, for which the same
// is to be asked again, of all with the `through` of the first answer.
struct RemoveHistory {
  std::string aor;
  std::vector<std::uint64_t> ids;  // each once
  bool all = false;
  std::uint64_t through = 0;  // 0: all that there are now
};
// Records of whatever user that have ended and whose time is over, at most count_max, and no more than RemoveHistory takes out;
// `removed` says how many, `more` whether there are others.
struct RemoveHistoryExpired {
  std::int64_t now_ms = 0;
  std::uint32_t count_max = 0;
};
// The oldest records of a user with an id above `after`, at most count_max, in the order of their ids. While the `version` of an
// answer is the same, none of his records has changed in between.
struct LoadHistories {
  std::string aor;
  std::uint64_t after = 0;
  std::uint32_t count_max = 0;
  std::uint64_t unless = 0;  // 0, or a version: while it is that, nothing is loaded, and it is `unchanged`
};
// The messages of a record with a number above `after`, in their order: at most count_max, and no more behind the one that
// passes bytes_max.
struct LoadHistoryMessages {
  std::uint64_t record = 0;
  std::uint32_t after = 0;
  std::uint32_t count_max = 0;
  std::uint64_t bytes_max = 0;
};
// Those of these that are there, of whatever user, in this order.
struct FindHistory {
  std::vector<std::uint64_t> ids;
};

// Bodies of large messages, which are kept beside the rows: bytes of one, in any order, as it comes.
struct WriteBody {
  std::uint64_t id = 0;
  std::uint64_t offset = 0;
  std::string bytes;
};
// All that was written of it can not be lost any more when this is answered. Then PutDeferred may say that it is there.
struct SyncBody {
  std::uint64_t id = 0;
};
// Answered with `bytes`: as many of them as there are.
struct ReadBody {
  std::uint64_t id = 0;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
};
// Nobody wants it. With the row of a message its body goes by itself.
struct DropBody {
  std::uint64_t id = 0;
};

struct StoreOp {
  std::uint64_t token = 0;  // 0: nobody waits for it
  std::variant<PutBinding, RemoveBinding, PutDeferred, RemoveDeferred, LoadDeferred, LoadMessage, AskDeferred, LoadExpired,
               LoadExpiring, FindDeferred, MarkDeferred, PutSending, RemoveCopy, RemoveSending, PutSystemMessage,
               RemoveSystemMessage, WriteBody, SyncBody, ReadBody, DropBody, PutPublication, RemovePublication, PutSession,
               RemoveSession, PutXcap, RemoveXcap, PutHistory, EndHistory, AddHistoryMessage, RemoveHistory,
               RemoveHistoryExpired, LoadHistories, LoadHistoryMessages, FindHistory, FindMessage, PutSubscription,
               RemoveSubscription>
      what;
};

struct StoreResult {
  enum class Status : std::uint8_t {
    done,
    duplicate,
    full,
    refused,  // the disk does not take it, the store has no room to wait in, or it can not do such a thing: nothing is stored
  };
  std::uint64_t token = 0;
  Status status = Status::done;
  std::vector<DeferredRow> rows{};  // of what loads: in the order of their ids; FindDeferred: in that of its
  bool more = false;                // of what loads: there are others behind these
  std::uint64_t room = 0;           // AskDeferred
  std::string bytes{};              // ReadBody
  std::vector<HistoryRecordRow> histories{};          // LoadHistories, FindHistory
  std::vector<HistoryMessageRow> history_messages{};  // LoadHistoryMessages
  std::uint32_t removed = 0;                          // PutHistory, AddHistoryMessage, RemoveHistory, RemoveHistoryExpired
  std::uint64_t through = 0;                          // RemoveHistory of all
  std::uint64_t version = 0;                          // LoadHistories; not 0
  bool unchanged = false;                             // LoadHistories
  // AddHistoryMessage, RemoveHistoryExpired: whose records have gone, each once.
  std::vector<std::string> users{};
};

// What an earlier process has left, as the next one needs it at its start.
struct StoreContents {
  std::vector<BindingRow> bindings;         // not over yet
  std::vector<std::string> deferred_users;  // for whom messages wait
  std::vector<SendingRow> sendings;
  std::vector<SystemMessageRow> system_messages;
  std::vector<PublicationRow> publications;  // not over yet, in the order of `changed`
  std::vector<SessionRow> sessions;          // that nobody ended
  // Not over yet, the one that lasts longest first; numbers have taken their step.
  std::vector<SubscriptionRow> subscriptions;
  std::vector<XcapRow> xcap_documents;  // in the order of their last change
  std::uint64_t newest_id = 0;  // of all these messages, and of the records of histories
};

struct StoreSink {
  virtual ~StoreSink() = default;
  // Takes the operations over and leaves `ops` empty. Called on the shard's thread; must not block. What would be stored
  // and finds no room is lost, counted, and `refused` if somebody waits for it; what takes something out always finds room.
  virtual void submit(std::uint32_t shard, std::vector<StoreOp>& ops) = 0;
};

}  // namespace parley::core
