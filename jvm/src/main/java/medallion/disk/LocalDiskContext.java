package medallion.disk;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.EnumSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumFs;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FsConstants;
import org.apache.hadoop.fs.FsServerDefaults;
import org.apache.hadoop.fs.Options.ChecksumOpt;
import org.apache.hadoop.fs.Options.Rename;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.local.LocalConfigKeys;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/** {@link LocalDisk} for Hadoop's {@code FileContext}, which streams write their checkpoints by. */
public final class LocalDiskContext extends ChecksumFs {
  /** The constructor that Hadoop calls; a local disk has one address only. */
  public LocalDiskContext(URI place, Configuration conf) throws IOException, URISyntaxException {
    super(new Raw(conf));
  }

  private static final class Raw extends DelegateToFileSystem {
    Raw(Configuration conf) throws IOException, URISyntaxException {
      super(FsConstants.LOCAL_FS_URI, new RawDisk(), conf, FsConstants.LOCAL_FS_URI.getScheme(), false);
    }

    private RawDisk disk() {
      return (RawDisk) fsImpl;
    }

    /** Hadoop's own looks whether there is a folder for the file, and makes one when it is gone by then. */
    @Override
    public FSDataOutputStream createInternal(Path place, EnumSet<CreateFlag> flags, FsPermission permission, int buffer,
        short replication, long block, Progressable progress, ChecksumOpt checksum, boolean parents) throws IOException {
      checkPath(place);
      return flags.contains(CreateFlag.APPEND)
          ? super.createInternal(place, flags, permission, buffer, replication, block, progress, checksum, parents)
          : disk().create(place, permission, flags.contains(CreateFlag.OVERWRITE), parents, buffer);
    }

    @Override
    public void renameInternal(Path from, Path to) throws IOException {
      renameInternal(from, to, false);
    }

    /** Hadoop's own removes the target first, or looks whether it is free. */
    @Override
    @SuppressWarnings("deprecation") // it is the one that takes options
    public void renameInternal(Path from, Path to, boolean overwrite) throws IOException {
      checkPath(from);
      checkPath(to);
      disk().rename(from, to, overwrite ? Rename.OVERWRITE : Rename.NONE);
    }

    @Override
    public int getUriDefaultPort() {
      return -1;
    }

    @Override
    public FsServerDefaults getServerDefaults(Path path) throws IOException {
      return LocalConfigKeys.getServerDefaults();
    }

    @Override
    @Deprecated
    public FsServerDefaults getServerDefaults() throws IOException {
      return LocalConfigKeys.getServerDefaults();
    }

    @Override
    public boolean isValidName(String name) {
      return true;
    }
  }
}
