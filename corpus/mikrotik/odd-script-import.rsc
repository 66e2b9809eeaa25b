# pasted by the installer, no header
:local wanif "ether1"
/interface list { add name=WAN; add name=LAN }
/interface/list/member/add list=WAN interface=ether1
/interface/list/member add list=LAN interface=ether2
/ip/address add address=192.168.50.1/24 interface=ether2
/ip dhcp-client add interface=ether1 disabled=no
/ip service disable telnet,ftp,www
/ip/service/set winbox address=192.168.50.0/24
/user add name=hoshu group=full password=KANARI-hoshu-5Tg7Yh9Uj
/user set admin password="KANARI admin 3Ed5Rf7Tg" address=192.168.50.0/24
/user add name=yamada group=read password=KANARI-y1 address=192.168.50.9/32
/ppp secret add name=takeda password={KANARI-brace} service=l2tp
/ip firewall {
  filter add chain=input action=drop in-interface-list=!LAN comment="end"
}
