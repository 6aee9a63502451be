package medallion.files;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonStreamContext;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.util.JsonParserDelegate;
import java.io.IOException;
import java.io.StringWriter;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** A JSON parser that keeps the members of the outermost objects that its reader skips. */
final class SkippedMembers extends JsonParserDelegate {
  private static final JsonFactory JSON = new JsonFactory();

  private final Set<String> known;
  private Set<String> names = Set.of(); // there is a parser for each record, and few skip anything
  private Map<Integer, StringBuilder> skipped; // by place in the outermost array, 0 without one

  SkippedMembers(JsonParser parser, Set<String> known) {
    super(parser);
    this.known = known;
  }

  boolean any() {
    return skipped != null;
  }

  /** The names of all members that were skipped. */
  Set<String> names() {
    return names;
  }

  /** The members skipped in an object, as a JSON object; null when there are none. */
  String of(int index) {
    StringBuilder members = skipped.get(index);
    return members == null ? null : members + "}";
  }

  /** Spark's parser comes here with a member's name, and again with its value. */
  @Override
  public JsonParser skipChildren() throws IOException {
    JsonToken token = delegate.currentToken();
    if (token != null && token != JsonToken.FIELD_NAME && token != JsonToken.VALUE_NULL) {
      JsonStreamContext object = delegate.getParsingContext();
      object = token.isStructStart() ? object.getParent() : object;
      if (object != null && object.inObject() && outermost(object.getParent())) {
        String name = object.getCurrentName();
        if (!known.contains(name)) {
          keep(object.getParent().inArray() ? object.getParent().getCurrentIndex() : 0, name);
          return this;
        }
      }
    }
    delegate.skipChildren();
    return this;
  }

  private static boolean outermost(JsonStreamContext parent) {
    return parent != null && (parent.inRoot() || parent.inArray() && parent.getParent().inRoot());
  }

  private void keep(int index, String name) throws IOException {
    if (skipped == null) {
      skipped = new HashMap<>();
      names = new LinkedHashSet<>();
    }
    names.add(name);
    StringBuilder members = skipped.computeIfAbsent(index, place -> new StringBuilder());
    StringWriter text = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(text)) {
      json.writeString(name);
    }
    text.append(':');
    try (JsonGenerator json = JSON.createGenerator(text)) {
      json.copyCurrentStructure(delegate); // ends where skipChildren would
    }
    members.append(members.isEmpty() ? '{' : ',').append(text);
  }
}
