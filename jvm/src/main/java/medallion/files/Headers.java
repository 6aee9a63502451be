package medallion.files;

import com.univocity.parsers.csv.CsvParser;
import com.univocity.parsers.csv.CsvParserSettings;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.spark.sql.catalyst.csv.CSVOptions;
import org.apache.spark.sql.execution.datasources.csv.CSVUtils;

/** Names of a CSV file's columns: its header, or {@code _c0}, {@code _c1}, … without one. */
final class Headers {
  private Headers() {}

  static String[] of(Path file, CSVOptions options, Configuration hadoop) throws IOException {
    CsvParserSettings settings = options.asParserSettings();
    settings.setHeaderExtractionEnabled(false);
    settings.setNumberOfRecordsToRead(1);
    CsvParser parser = new CsvParser(settings);
    try (InputStream raw = open(file, hadoop)) {
      parser.beginParsing(new InputStreamReader(raw, options.charset()));
      String[] first = parser.parseNext();
      parser.stopParsing();
      return first == null ? new String[0] : CSVUtils.makeSafeHeader(first, false, options);
    }
  }

  private static InputStream open(Path file, Configuration hadoop) throws IOException {
    FileSystem system = file.getFileSystem(hadoop);
    CompressionCodec codec = new CompressionCodecFactory(hadoop).getCodec(file);
    InputStream raw = system.open(file);
    return codec == null ? raw : codec.createInputStream(raw);
  }
}
