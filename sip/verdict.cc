// sip/verdict.cc - the questions in the order in which they are asked.
#include "sip/verdict.h"

#include <algorithm>

#include "sip/branch.h"
#include "sip/params.h"

namespace parley::sip {
namespace {

constexpr std::uint64_t max_forwards_max = 255;
constexpr std::uint64_t expires_max = (std::uint64_t{1} << 32) - 1;  // RFC 3261 section 20.19

constexpr std::uint16_t bad_request = 400;
constexpr std::uint16_t unsupported_scheme = 416;
constexpr std::uint16_t version_not_supported = 505;
constexpr std::uint16_t message_too_large = 513;

struct Fault {
  std::uint16_t status = 0;
  std::string_view reason;
};
constexpr Fault no_fault{};

Fault bad(std::string_view reason) { return {bad_request, reason}; }

// The value of a header that has to stand exactly once.
Fault single(const Head& head, std::string_view bytes, HeaderId id, std::string_view& value, std::string_view missing,
             std::string_view repeated) {
  const Header* const header = head.first(id);
  if (header == nullptr) return bad(missing);
  if (head.next(*header) != nullptr) return bad(repeated);
  value = header->value.of(bytes);
  return no_fault;
}

Fault head_fault(const Head& head) {
  switch (head.error) {
    case HeadError::none: return no_fault;
    case HeadError::version: return {version_not_supported, "Version Not Supported"};
    case HeadError::request_line: return bad("Bad Request-Line");
    case HeadError::header_line: return bad("Bad Header Line");
    case HeadError::too_long: return {message_too_large, "Message Too Large"};
    case HeadError::too_many_headers: return {message_too_large, "Too Many Header Fields"};
    case HeadError::cut_short: return bad("Head Cut Short");
    case HeadError::status_line: return bad("Bad Status-Line");
    case HeadError::not_sip: break;
  }
  return bad("Not SIP");
}

Fault address_fault(const Head& head, std::string_view bytes, HeaderId id, Address& address, std::string_view& tag,
                    std::string_view missing, std::string_view repeated, std::string_view broken) {
  std::string_view value;
  if (const Fault fault = single(head, bytes, id, value, missing, repeated); fault.status != 0) return fault;
  if (!parse_address(value, address)) return bad(broken);
  tag = param_value(address.params, "tag");
  return no_fault;
}

Fault via_fault(const Head& head, std::string_view bytes, const Carrier& carrier, Via& via) {
  if (carrier.via_later && head.first(HeaderId::via) == nullptr) return no_fault;
  std::string_view vias = head.value(HeaderId::via, bytes);
  return take_via(vias, via) ? no_fault : bad("Bad Via");
}

Fault identity_fault(const Head& head, std::string_view bytes, const Carrier& carrier, Essentials& essentials) {
  if (const Fault fault = via_fault(head, bytes, carrier, essentials.via); fault.status != 0) return fault;
  if (const Fault fault = address_fault(head, bytes, HeaderId::from, essentials.from, essentials.from_tag,
                                        "Missing From", "More Than One From", "Bad From");
      fault.status != 0) {
    return fault;
  }
  if (const Fault fault = address_fault(head, bytes, HeaderId::to, essentials.to, essentials.to_tag, "Missing To",
                                        "More Than One To", "Bad To");
      fault.status != 0) {
    return fault;
  }
  if (const Fault fault =
          single(head, bytes, HeaderId::call_id, essentials.call_id, "Missing Call-ID", "More Than One Call-ID");
      fault.status != 0) {
    return fault;
  }
  if (!valid_call_id(essentials.call_id)) return bad("Bad Call-ID");
  std::string_view cseq;
  if (const Fault fault = single(head, bytes, HeaderId::cseq, cseq, "Missing CSeq", "More Than One CSeq");
      fault.status != 0) {
    return fault;
  }
  return parse_cseq(cseq, essentials.cseq) ? no_fault : bad("Bad CSeq");
}

Fault number_fault(const Head& head, std::string_view bytes, Essentials& essentials) {
  std::uint64_t number = 0;
  if (const Header* const header = head.first(HeaderId::max_forwards)) {
    if (head.next(*header) != nullptr) return bad("More Than One Max-Forwards");
    if (!parse_number(header->value.of(bytes), max_forwards_max, number)) return bad("Bad Max-Forwards");
    essentials.has_max_forwards = true;
    essentials.max_forwards = static_cast<std::uint8_t>(number);
  }
  if (const Header* const header = head.first(HeaderId::expires)) {
    if (!parse_number(header->value.of(bytes), expires_max, number)) return bad("Bad Expires");
  }
  return no_fault;
}

Fault contact_fault(const Head& head, std::string_view bytes) {
  for (const Header* header = head.first(HeaderId::contact); header != nullptr; header = head.next(*header)) {
    std::string_view rest = header->value.of(bytes);
    while (!rest.empty()) {
      Address contact;
      if (!take_address(rest, contact)) return bad("Bad Contact");
    }
  }
  return no_fault;
}

Fault request_fault(const Head& head, std::string_view bytes, Essentials& essentials) {
  if (head.method_name.of(bytes) != essentials.cseq.method_name) return bad("CSeq Does Not Match The Method");
  const std::string_view uri = head.uri.of(bytes);
  if (!parse_uri(uri, essentials.uri)) return bad("Bad Request-URI");
  if (essentials.uri.scheme == Scheme::other) return {unsupported_scheme, "Unsupported URI Scheme"};
  // RFC 3261 section 19.1.1: no headers there.
  if (!essentials.uri.headers.empty()) return bad("Headers In Request-URI");
  if (const Fault fault = number_fault(head, bytes, essentials); fault.status != 0) return fault;
  return contact_fault(head, bytes);
}

Fault length_fault(const Head& head, const Carrier& carrier) {
  if (head.bad_content_length) return bad("Bad Content-Length");
  if (!carrier.stream && head.has_content_length && head.content_length > carrier.body_bytes) {
    return bad("Body Shorter Than Content-Length");
  }
  return no_fault;
}

Fault find_fault(const Head& head, std::string_view bytes, const Carrier& carrier, Essentials& essentials) {
  for (const Fault fault : {head_fault(head), length_fault(head, carrier)}) {
    if (fault.status != 0) {
      (void)identity_fault(head, bytes, carrier, essentials);  // as far as it goes: the answer is sent by it
      return fault;
    }
  }
  if (const Fault fault = identity_fault(head, bytes, carrier, essentials); fault.status != 0) return fault;
  return head.request() ? request_fault(head, bytes, essentials) : no_fault;
}

}  // namespace

Verdict judge(const Head& head, std::string_view bytes, const Carrier& carrier, Essentials& essentials) {
  essentials = Essentials{};
  const Fault fault = find_fault(head, bytes, carrier, essentials);
  Verdict verdict;
  // A head that was given up has no length.
  verdict.lost_in_stream = carrier.stream && (head.bad_content_length || head.length == 0);
  if (fault.status == 0) return verdict;
  verdict.reason = fault.reason;
  // Nobody answers a response or an ACK, and nobody can be answered who left no Via.
  const bool silent = !head.request() || head.method == Method::ack || head.first(HeaderId::via) == nullptr;
  verdict.kind = silent ? Verdict::Kind::drop : Verdict::Kind::respond;
  verdict.status = silent ? std::uint16_t{0} : fault.status;
  return verdict;
}

core::Hash128 request_hash(const core::HashKey& key, const Essentials& essentials) {
  return core::KeyedHash(key)
      .add(essentials.call_id)
      .add(essentials.from_tag)
      .add(branch_of(essentials.via))
      .add(std::uint64_t{essentials.cseq.number})
      .finish();
}

std::size_t body_length(const Head& head, const Carrier& carrier) {
  if (head.length == 0) return 0;  // given up
  if (carrier.stream) return head.content_length;
  return head.has_content_length ? std::min<std::size_t>(head.content_length, carrier.body_bytes) : carrier.body_bytes;
}

}  // namespace parley::sip
