// msrp/frame_text.cc - see frame_text.h.
#include "msrp/frame_text.h"

namespace parley::msrp {

namespace {
void put_range_number(TextOut& out, std::uint64_t value) {
  if (value == ByteRange::unknown) {
    out.put('*');
  } else {
    out.number(value);
  }
}
}  // namespace

void put_range_line(TextOut& out, std::uint64_t start, std::uint64_t end, std::uint64_t total) {
  out.put("Byte-Range: ").number(start).put('-');
  put_range_number(out, end);
  out.put('/');
  put_range_number(out, total);
  out.put("\r\n");
}

void put_request_line(TextOut& out, std::string_view tid, std::string_view method) {
  out.put("MSRP ").put(tid).put(' ').put(method).put("\r\n");
}

void put_end_line(TextOut& out, std::string_view tid, Flag flag, bool after_body) {
  out.put(after_body ? "\r\n-------" : "-------").put(tid).put(static_cast<char>(flag)).put("\r\n");
}

bool range_contradicts_itself(const ByteRange& range) {
  // Above 2^62 the body's own length could carry our numbers past 2^63-1.
  if (range.start == 0 || range.start > (std::uint64_t{1} << 62)) return true;
  if (range.end != ByteRange::unknown && range.end + 1 < range.start) return true;
  if (range.total == ByteRange::unknown) return false;
  if (range.end != ByteRange::unknown && range.end > range.total) return true;
  // An empty chunk: "1-0/0" is the empty message, "8-7/7" the end of one whose bytes have all gone before.
  const bool empty = range.end != ByteRange::unknown && range.end + 1 == range.start;
  return range.start > range.total && !(empty && range.start == range.total + 1);
}

std::uint64_t total_after(const ByteRange& range, std::uint64_t length, Flag flag) {
  const std::uint64_t end = range.start - 1 + length;
  if (flag == Flag::end) return end;  // R4975-7: '$' fixes the total
  return range.total != ByteRange::unknown && range.total < end ? ByteRange::unknown : range.total;
}

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";  // RFC 7701, as are 424, 425 and 428
    case 408: return "Request Timeout";
    case 413: return "Stop Sending Message";
    case 415: return "Unsupported Media Type";
    case 423: return "Interval Out-of-Bounds";
    case 424: return "Malformed Nickname";
    case 425: return "Nickname Reserved or Already In Use";
    case 428: return "Private Messages Not Supported";
    case 481: return "Session Does Not Exist";
    case 501: return "Unknown Request";
    case 506: return "Session Already In Use";
    default: return "Error";
  }
}

}  // namespace parley::msrp
